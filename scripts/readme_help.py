"""Write the help text of every command into README, or check that README has them.

The texts stand between two marker lines; the rest of README is left as it is. ``--check`` changes
nothing and exits 1 when README is out of date.
"""

import argparse
import difflib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.testing import CliRunner

from segnet_res.cli import app

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN = "<!-- help texts: begin (written by `make help-texts`) -->"
END = "<!-- help texts: end -->"
# Wide enough for the longest option, narrow enough for README's column on GitHub.
WIDTH = 96


def commands(node: object = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command that does something, such as ``("data", "import")``."""
    node = node or typer.main.get_command(app)
    children = getattr(node, "commands", None)
    if children is None:
        yield path
        return
    for name, child in children.items():
        if not child.hidden:
            yield from commands(child, (*path, name))


def help_text(path: tuple[str, ...]) -> str:
    """Return what ``--help`` says, without boxes and colours and at a fixed width."""
    # Typer draws boxes as wide as the terminal unless its markup is off.
    app.rich_markup_mode = None
    result = CliRunner().invoke(
        app,
        [*path, "--help"],
        prog_name="segnet-res",
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        env={"COLUMNS": str(WIDTH), "TERMINAL_WIDTH": str(WIDTH), "NO_COLOR": "1"},
        catch_exceptions=False,
    )
    if result.exit_code != 0:
        raise SystemExit(f"segnet-res {' '.join(path)} --help failed: {result.output}")
    text = "\n".join(line.rstrip() for line in result.output.strip().splitlines())
    return re.sub(r"\n{3,}", "\n\n", text)


def section() -> str:
    """Return the help of all commands as Markdown, one fold for each."""
    folds = [
        f"<details><summary><code>segnet-res {' '.join(path)}</code></summary>\n\n"
        f"```text\n{help_text(path)}\n```\n\n</details>"
        for path in commands()
    ]
    return "\n".join(folds)


def replace(readme: str, texts: str) -> str:
    """Return README with the texts between its markers.

    Raises:
        SystemExit: when the markers are not there once each, in order.
    """
    if (
        readme.count(BEGIN) != 1
        or readme.count(END) != 1
        or readme.index(BEGIN) > readme.index(END)
    ):
        raise SystemExit(f"README needs these two lines once each, in this order:\n{BEGIN}\n{END}")
    head, rest = readme.split(BEGIN)
    return f"{head}{BEGIN}\n\n{texts}\n\n{END}{rest.split(END)[1]}"


def main() -> int:
    """Run the script; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    found = README.read_text(encoding="utf-8")
    wanted = replace(found, section())
    if check and found != wanted:
        lines = difflib.unified_diff(
            found.splitlines(), wanted.splitlines(), "README.md", "the commands", lineterm="", n=1
        )
        sys.stderr.write("\n".join(lines))
        sys.stderr.write("\nREADME's help texts are out of date; run make help-texts\n")
        return 1
    if not check and found != wanted:
        README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
