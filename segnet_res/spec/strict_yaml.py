"""YAML without its traps: every scalar stays text, no key is there twice, no aliases.

In YAML a class called ``no`` would be read as False, ``1.10`` as 1.1 and of a key that is there
twice the last would count: nothing that a file of limits should depend on.
"""

from typing import Any

import yaml

# A file of limits has some kilobytes; whoever sends more means harm, or took the wrong file.
MAX_LENGTH = 100_000

_MAX_DEPTH = 20


class StrictYamlError(Exception):
    """A text is no YAML of this kind; the message says where and why."""


class _Loader(yaml.BaseLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401
        # A few aliases can unfold to gigabytes.
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise StrictYamlError(f"line {event.start_mark.line + 1}: aliases (*) are not read")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def read(text: str) -> object:
    """Return dictionaries, lists and texts.

    Raises:
        StrictYamlError: when the text is too long or deep, no YAML, or has a key twice.

    >>> read("no: [1.10, yes]")
    {'no': ['1.10', 'yes']}
    """
    if len(text) > MAX_LENGTH:
        raise StrictYamlError(f"{len(text):,} characters are more than {MAX_LENGTH:,}")
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise StrictYamlError(f"{where}{error.problem or 'it does not parse'}") from error
    except yaml.YAMLError as error:
        raise StrictYamlError("it holds characters that no text has") from error
    except RecursionError as error:
        raise StrictYamlError("it is nested too deeply") from error
    return None if node is None else _plain(node, 0)


def _plain(node: yaml.Node, depth: int) -> object:
    if depth > _MAX_DEPTH:
        raise StrictYamlError("it is nested too deeply")
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, depth + 1) for child in node.value]
    if not isinstance(node, yaml.MappingNode):
        return str(node.value)
    content: dict[str, object] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise StrictYamlError(f"line {line}: a key must be a plain word")
        if key.value in content:
            raise StrictYamlError(f"line {line}: {key.value!r} is there twice")
        content[key.value] = _plain(value, depth + 1)
    return content
