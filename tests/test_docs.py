"""The documents say what is there: commands, options, links, names."""

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import segnet_res
from segnet_res.cli import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "datasets/*/*.md", "checkpoints/*.md")
    for path in ROOT.glob(pattern)
)


def commands(node=None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    node = node or typer.main.get_command(app)
    children = getattr(node, "commands", None)
    if children is None:
        yield path, node
        return
    for name, child in children.items():
        yield from commands(child, (*path, name))


COMMANDS = dict(commands())
IDS = [" ".join(path) for path in COMMANDS]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize(("path", "command"), COMMANDS.items(), ids=IDS)
def test_every_command_and_option_has_help(path, command):
    assert command.help, "the docstring is missing"
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{parameter.name} has no help"


@pytest.mark.parametrize("path", COMMANDS, ids=IDS)
def test_every_command_is_in_readme(path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"<summary><code>segnet-res {' '.join(path)}</code></summary>" in readme


def examples(document: Path) -> Iterator[list[str]]:
    """Yield the words of each command line in the shell blocks of a document."""
    text = document.read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "segnet-res":
                yield words[1:]


def unknown_words(words: list[str]) -> str | None:
    """Return what is wrong with a command line, or None."""
    size = 2 if tuple(words[:2]) in COMMANDS else 1
    command = COMMANDS.get(tuple(words[:size]))
    if command is None:
        return f"no command {' '.join(words[:2])}"
    known = {"--help"}
    for parameter in command.params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    options = [word.split("=")[0] for word in words[size:] if word.startswith("-")]
    unknown = [option for option in options if option not in known]
    return f"no option {', '.join(unknown)}" if unknown else None


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_command_lines_in_documents_exist(document):
    problems = {" ".join(words): unknown_words(words) for words in examples(document)}
    assert not {line: problem for line, problem in problems.items() if problem}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document):
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.S | re.M)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    missing = [
        target
        for target in targets
        if not re.match(r"https?://|#|mailto:", target)
        and not (document.parent / target.split("#")[0]).exists()
    ]
    assert not missing


def test_the_names_that_readme_imports_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    compile(block, "README.md", "exec")
    for names in re.findall(r"^from segnet_res import (.+)$", block, re.MULTILINE):
        assert set(names.split(", ")) <= set(segnet_res.__all__)


def test_every_decision_tells_context_decision_and_consequence():
    for document in (ROOT / "docs" / "decisions").glob("*.md"):
        text = document.read_text(encoding="utf-8")
        for word in ("**Context.**", "**Decision.**", "**Consequence.**"):
            assert word in text, document.name


def test_help_texts_go_between_the_markers():
    script = runpy.run_path(str(ROOT / "scripts" / "readme_help.py"))
    begin, end, replace = script["BEGIN"], script["END"], script["replace"]
    readme = f"above\n{begin}\nold\n{end}\nbelow\n"
    wanted = f"above\n{begin}\n\nnew\n\n{end}\nbelow\n"
    assert replace(readme, "new") == wanted
    assert replace(wanted, "new") == wanted
    with pytest.raises(SystemExit, match="README needs these two lines once each"):
        replace(readme.replace(end, ""), "new")
