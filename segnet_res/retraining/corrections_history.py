"""Masks that were replaced: ``history/<stem>/<revision>.png``, each as it was.

Revision 0 is a mask that was in the dataset before anybody annotated it.
"""

from pathlib import Path

from segnet_res.data.annotations import Annotation
from segnet_res.data.storage import storing
from segnet_res.images import atomic_write
from segnet_res.inference.manifest import digest_of_file


def revision_of(root: Path, stem: str, line: Annotation | None, sha256: str | None) -> int:
    """Return the revision of the mask that is there now.

    Args:
        root: The dataset folder.
        stem: The picture.
        line: The newest annotation of the picture.
        sha256: Of the mask's file; None where there is none: then that of the last one, or -1.

    Returns:
        Its number as annotated or kept in history; one more than those where somebody changed the
        file by hand, or was killed before the line was written.
    """
    if line is not None and line.mask_sha256 == sha256:
        return line.revision
    kept = _kept(root, stem)
    last = max([-1 if line is None else line.revision, *kept])
    if sha256 is None:
        return last
    newest = max(kept, default=None)
    if newest is not None and newest == last and digest_of_file(kept[newest]) == sha256:
        return newest
    return last + 1


def keep_mask(root: Path, stem: str, revision: int, mask: Path) -> None:
    """Copy the mask that is about to be replaced; nothing that is kept is overwritten.

    Raises:
        StorageError: when it cannot be written.
    """
    with storing(mask):
        content = mask.read_bytes()
    path, number = _path(root, stem, f"{revision}"), 1
    while path.exists():
        with storing(path):
            if path.read_bytes() == content:
                return
        number += 1
        path = _path(root, stem, f"{revision}-{number}")
    with atomic_write(path) as file:
        file.write(content)


def _kept(root: Path, stem: str) -> dict[int, Path]:
    """Return the masks in history by revision."""
    paths = (root / "history" / stem).glob("*.png")
    return {int(path.stem): path for path in paths if path.is_file() and path.stem.isdecimal()}


def _path(root: Path, stem: str, revision: str) -> Path:
    return root / "history" / stem / f"{revision}.png"
