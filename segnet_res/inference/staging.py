"""Results that are written under other names first and put into their places together."""

import os
import re
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from segnet_res.data.storage import storing
from segnet_res.errors import ImageError, StorageError
from segnet_res.inference.checking import Check, stamp
from segnet_res.inference.locks import Journal
from segnet_res.inference.manifest import Output, digest_of_file

# Names of files that are being written, here and by `images.atomic_write`.
_UNFINISHED = re.compile(r"\..*\.[0-9a-f]{12}\.part(\.[a-z]+)?")


class Staging:
    """The results of one picture before they are in their places.

    Args:
        target: Folder of the results.
        outputs: Path of each kind below the target.
    """

    def __init__(self, target: Path, outputs: Mapping[str, str]) -> None:
        self._target = target
        self._outputs = outputs
        self._drafts: dict[str, Path] = {}
        self._digests: dict[str, str] = {}

    def draft(self, kind: str) -> Path:
        """Return the path that the result of a kind is to be written to."""
        if kind not in self._drafts:
            final = self._target / self._outputs[kind]
            # Hidden, with the suffix that says the format, and cut to fit the system's limit.
            name = f".{final.stem[:40]}.{secrets.token_hex(6)}.part{final.suffix}"
            self._drafts[kind] = final.with_name(name)
        return self._drafts[kind]

    def digest(self, kind: str) -> str:
        """Return the SHA-256 of a draft that was written."""
        if kind not in self._digests:
            with storing(self._target / self._outputs[kind]):
                self._digests[kind] = digest_of_file(self._drafts[kind])
        return self._digests[kind]

    def drop(self, kind: str) -> None:
        """Remove the draft of a kind that is not wanted after all."""
        draft = self._drafts.pop(kind, None)
        if draft is not None:
            draft.unlink(missing_ok=True)

    def publish(self, journal: Journal, check: Check, *, overwrite: bool) -> None:
        """Put the drafts into their places; the journal knows of them before.

        Raises:
            ImageError: when something has appeared or changed there since the check.
            StorageError: when the system refuses.
        """
        for kind in () if overwrite else self._drafts:
            standing = check.standing.get(kind)
            path = self._target / self._outputs[kind]
            if stamp(path) != (None if standing is None else standing.stamp):
                raise ImageError(
                    f"{path} has appeared or changed meanwhile; look whether somebody else writes "
                    "there, or whether names differ in case alone, and start the run again"
                )
        journal.begin({self._outputs[kind]: self.digest(kind) for kind in self._drafts})
        waiting = len(self._drafts)
        for kind, draft in list(self._drafts.items()):
            final = self._target / self._outputs[kind]
            try:
                with storing(final):
                    draft.replace(final)
            except StorageError:
                if len(self._drafts) == waiting:
                    # Nothing was put anywhere, so that nothing is to be remembered.
                    journal.end()
                raise
            del self._drafts[kind]

    def clear(self) -> None:
        """Remove what was not put into its place."""
        for kind in list(self._drafts):
            with suppress(OSError):
                self.drop(kind)


def sweep(target: Path, kinds: Iterable[str]) -> None:
    """Remove what killed runs left half-written in a target; nothing else is touched."""
    _sweep(target)
    waiting = [target / kind for kind in kinds]
    while waiting:
        waiting += _sweep(waiting.pop())


def _sweep(folder: Path) -> list[Path]:
    """Remove what is half-written in one folder and return its subfolders."""
    below = []
    # What cannot be read or removed does no harm.
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                below.append(Path(entry.path))
            elif _UNFINISHED.fullmatch(entry.name):
                Path(entry.path).unlink()
    return below


def remove(target: Path, output: Output) -> None:
    """Remove a result that its picture has now under another name, if it is as a run left it."""
    path = target / output.path
    # Where it is gone or cannot be removed, nothing depends on it.
    with suppress(OSError):
        if digest_of_file(path) == output.sha256:
            path.unlink()
