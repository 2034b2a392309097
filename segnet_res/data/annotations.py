"""Who annotated which picture of a dataset, and when: ``annotations.jsonl`` in its folder.

One JSON line for each save. Lines are only ever added, the newest about a picture counts, and a
line that a killed process left half written counts as not written.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from segnet_res.data.dataset import SPLITS, check_stem
from segnet_res.data.storage import storing
from segnet_res.errors import DataError

ANNOTATIONS_FILE = "annotations.jsonl"
VERSION = 1

TO_REVIEW, DONE, REJECTED = STATES = ("to review", "done", "rejected")


@dataclass(frozen=True)
class Annotation:
    """One line of ``annotations.jsonl``.

    Attributes:
        stem: The picture's path below ``images/`` without its suffix.
        state: One of `STATES`.
        who: Who saved it.
        when: Date and time in UTC, ISO 8601.
        proposed_by: The checkpoint whose prediction was corrected, as name and short hash; None
            where none was.
        picture_sha256: Of the picture's file, 64 hexadecimal digits.
        mask_sha256: Of the mask's file.
        revision: From 1; one more for each mask that differs from the one before.
        split: The split that holds the picture; None where none does.
        part: The part that it shows.
        part_told: Whether somebody named the part; otherwise the name of the picture tells it.
        home: The split that the picture goes back to when it is done again; None where it was in
            none.
    """

    stem: str
    state: str
    who: str
    when: str
    proposed_by: str | None
    picture_sha256: str
    mask_sha256: str
    revision: int
    split: str | None
    part: str
    part_told: bool = False
    home: str | None = None

    def to_line(self) -> bytes:
        """Return the line of the file."""
        content = {"annotation": VERSION} | asdict(self)
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


_TYPES: dict[str, tuple[type, ...]] = {
    "stem": (str,),
    "state": (str,),
    "who": (str,),
    "when": (str,),
    "proposed_by": (str, type(None)),
    "picture_sha256": (str,),
    "mask_sha256": (str,),
    "revision": (int,),
    "split": (str, type(None)),
    "part": (str,),
    "part_told": (bool,),
    "home": (str, type(None)),
}


def annotations(root: Path) -> dict[str, Annotation]:
    """Return the newest line about each picture of a dataset, by stem; none without the file.

    Raises:
        DataError: when the file cannot be read, or a line of it is damaged.
    """
    return {annotation.stem: annotation for annotation in all_annotations(root)}


def all_annotations(root: Path) -> Iterator[Annotation]:
    """Yield all lines, oldest first.

    Raises:
        DataError: as `annotations`.
    """
    path = root / ANNOTATIONS_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); check the path and its rights"
        ) from error
    for number, line in enumerate(content[: _whole(content)].splitlines(), start=1):
        yield _parse(line, f"{path}: line {number}")


def told_parts(root: Path) -> dict[str, str]:
    """Return the parts that people have named, by stem.

    Raises:
        DataError: as `annotations`.
    """
    return {stem: line.part for stem, line in annotations(root).items() if line.part_told}


def not_done(root: Path) -> set[str]:
    """Return the stems that are to review or rejected, and so belong to no split.

    Raises:
        DataError: as `annotations`.
    """
    return {stem for stem, line in annotations(root).items() if line.state != DONE}


def append_annotation(root: Path, annotation: Annotation) -> None:
    """Add a line, whole or not at all; the caller sees to it that nobody else writes meanwhile.

    Raises:
        StorageError: when it cannot be written.
    """
    path = root / ANNOTATIONS_FILE
    with storing(path), path.open("ab", buffering=0) as file:
        content = path.read_bytes()
        # What a killed process left of its line is no line.
        end = _whole(content)
        os.truncate(path, end)
        # Editors may take the last line break away.
        line = (b"\n" if content[:end][-1:] not in (b"", b"\n") else b"") + annotation.to_line()
        try:
            written = file.write(line)
            if written != len(line):
                # A full disk may take a part; the rest says why.
                file.write(line[written:])
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, end)
            raise


def _whole(content: bytes) -> int:
    """Return the length of the content without a half line at its end."""
    end = content.rfind(b"\n") + 1
    try:
        whole = isinstance(json.loads(content[end:]), dict)
    except ValueError:
        whole = False
    return len(content) if whole else end


def _parse(line: bytes, where: str) -> Annotation:
    try:
        content: dict[str, Any] = json.loads(line)
        version = content["annotation"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(where, "it does not parse") from error
    if version != VERSION:
        raise DataError(
            f"{where} is of version {version!r}, known here is {VERSION}; upgrade segnet_res"
        )
    known = {one.name: content[one.name] for one in fields(Annotation) if one.name in content}
    for key, value in known.items():
        if not isinstance(value, _TYPES[key]):
            raise _damaged(where, f"{key} is {value!r}")
    try:
        annotation = Annotation(**known)
    except TypeError as error:
        raise _damaged(where, "something is missing") from error
    if annotation.state not in STATES:
        raise _damaged(where, f"state is {annotation.state!r}")
    if not {annotation.split, annotation.home} <= {*SPLITS, None}:
        raise _damaged(where, f"split is {annotation.split!r} of {annotation.home!r}")
    # The file comes from anywhere: it must not lead out of the folder.
    check_stem(annotation.stem, where)
    return annotation


def _damaged(where: str, reason: str) -> DataError:
    return DataError(
        f"{where} is damaged ({reason}); correct the line, or restore the file from a backup"
    )
