"""Which picture of a dataset a picture is, and what a new one is called."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from segnet_res.data.annotations import Annotation
from segnet_res.data.dataset import index_images, index_masks, stem_of
from segnet_res.errors import ImageError
from segnet_res.images import SUFFIXES
from segnet_res.images.decoding import MAX_PIXELS, opened

# What a suffix must be where a name has none that is read; the content counts, not the name.
_SUFFIX_OF = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "WEBP": ".webp", "BMP": ".bmp"}

# Characters that Windows allows in no name, or that mean something in a path or in a list of lines.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
# File systems allow 255 bytes; suffixes, numbers and temporary files need some.
_LONGEST = 150
_BLOCK = 65_536
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


class Content:
    """The bytes of a picture, read once, so that what is compared, decoded and kept is the same.

    Args:
        path: The file.

    Attributes:
        path: The file.
        data: All its bytes.
        sha256: 64 hexadecimal digits.

    Raises:
        ImageError: when it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.data = path.read_bytes()
        except OSError as error:
            raise ImageError(
                f"{path}: cannot be read ({error.strerror or error}); check the path and its rights"
            ) from error
        self.sha256 = hashlib.sha256(self.data).hexdigest()

    def suffix(self, name: str) -> str:
        """Return the suffix of a file with this content that people know by ``name``.

        Raises:
            ImageError: when the content is no picture.
        """
        with opened(self.path, self.data, max_pixels=MAX_PIXELS) as image:
            found = str(image.format)
        given = PurePosixPath(name).suffix.lower()
        return given if given in SUFFIXES else _SUFFIX_OF[found]


def find_content(
    root: Path, content: Content, known: Mapping[str, Annotation], name: str = ""
) -> str | None:
    """Return the stem of the picture that has the same bytes; None where none has.

    Of several the very file comes first, then one that is called so.

    Args:
        root: The dataset folder.
        content: The picture.
        known: The newest annotations.
        name: What people call the picture.
    """
    likely = {stem for stem, one in known.items() if one.picture_sha256 == content.sha256}
    called = PurePosixPath(name).stem
    here = content.path.resolve()
    candidates = sorted(
        _of_size(root, len(content.data)),
        key=lambda found: (
            found[1].resolve() != here,
            PurePosixPath(found[0]).name != called,
            found[0] not in likely,
            found[0],
        ),
    )
    for stem, path in candidates:
        if _holds(path, content.data):
            return stem
    return None


def free_stem(root: Path, name: str) -> str:
    """Return a stem for a new picture: its name without suffix, with a number where it is taken.

    Args:
        root: The dataset folder.
        name: What people call the picture; may come from anywhere.
    """
    wanted = clean_stem(name)
    # A mask without its picture belongs to a picture that somebody may bring back. Names that
    # differ in capitals only are one name on some systems.
    taken = {stem.casefold() for stem in [*index_images(root), *index_masks(root)]}
    taken |= {path.name.casefold() for path in (root / "images").glob("*") if path.is_dir()}
    return _numbered(wanted, taken)


def clean_stem(name: str) -> str:
    r"""Return the part of a file's name that can be a stem on every system and a line of a list.

    >>> clean_stem("C:\\photos\\part 7?.jpg"), clean_stem("../.hidden.png"), clean_stem("")
    ('part 7_', 'hidden', 'picture')
    """
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    if base.lower().endswith(SUFFIXES):
        base = base.rsplit(".", 1)[0]
    base = unicodedata.normalize("NFC", base)
    base = "".join(_allowed(letter) for letter in _FORBIDDEN.sub("_", base))
    base = base.encode()[:_LONGEST].decode(errors="ignore").strip(" .")
    return f"_{base}" if _DEVICES.match(base) else base or "picture"


def _allowed(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind.startswith("Z"):
        return " "
    return "_" if kind.startswith("C") else letter


def _numbered(wanted: str, taken: Collection[str]) -> str:
    stem, number = wanted, 1
    while stem.casefold() in taken:
        number += 1
        stem = f"{wanted}-{number}"
    return stem


def _holds(path: Path, data: bytes) -> bool:
    """Tell whether a file of this size has this content."""
    end = max(0, len(data) - _BLOCK)
    try:
        with path.open("rb") as file:
            # Pictures of one camera may all have one size, and mostly one header.
            file.seek(end)
            if file.read() != data[end:]:
                return False
            file.seek(0)
            return file.read(end) == data[:end]
    except OSError:
        # Gone, or not for us: then it is not this one.
        return False


def _of_size(root: Path, size: int) -> Iterator[tuple[str, Path]]:
    """Yield the pictures of a dataset whose files have so many bytes."""
    folder = root / "images"
    for paths in index_images(root).values():
        for path in paths:
            try:
                if path.stat().st_size == size:
                    yield stem_of(path, folder), path
            except OSError:
                continue
