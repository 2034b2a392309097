"""Which mask files belong to which picture: one for each, or one for each class."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segnet_res.data.dataset import SPLITS, read_split, stem_of
from segnet_res.data.names import SEPARATORS, same_name
from segnet_res.errors import DataError
from segnet_res.images import find_images

# The name of a picture's only mask; no class is called so.
WHOLE = ""

_MOST_NAMED = 3

# Endings that say that a file is a mask, and not of what.
_NO_CLASS = ("mask", "masks", "label", "labels", "gt", "seg", "segmentation", "annotation", "truth")

# From the stem of a mask and the stems of all pictures to the picture and the class.
_Matcher = Callable[[str, Mapping[str, Path]], tuple[str, str] | None]


@dataclass(frozen=True)
class Pair:
    """A picture with its masks.

    Attributes:
        stem: The picture's stem in the copy.
        image: The picture.
        masks: The file of each class, or the only one under `WHOLE`.
        split: The split that the source puts it into, if it does.
    """

    stem: str
    image: Path
    masks: Mapping[str, Path]
    split: str | None = None


@dataclass(frozen=True)
class Layout:
    """How the masks of a source lie.

    Attributes:
        pairs: Pictures with their masks, by stem.
        classes: The classes that have files of their own; empty where a picture has one mask.
        found: What was seen, one sentence each.
        left_out: Files that belong to nothing, one sentence each.
        ending: What all masks have after the pictures' names, or their only folder; empty where
            there is nothing, or a word that tells no class, such as "mask".
    """

    pairs: tuple[Pair, ...]
    classes: tuple[str, ...]
    found: tuple[str, ...]
    left_out: tuple[str, ...]
    ending: str = ""


def find_layout(source: Path, names: Sequence[str] = ()) -> Layout:
    """Find the masks of every picture in ``images/`` and ``masks/``, at the top or in each split.

    A mask is called like its picture, or like it with one ending for all (``a_mask.png``). Masks
    of one class each are called like the picture with the class (``a_dent.png``), or lie in a
    folder of the class (``dent/a.png``) or of the picture (``a/dent.png``).

    Args:
        source: The folder; it is only read.
        names: Names of the classes where they are known.

    Raises:
        DataError: when there are no pictures or no masks, or when the names of the masks follow
            two of these ways at once.
    """
    pictures, masks, left_out = _collect(source)
    matches = _matches(masks, {stem: path for stem, (path, _) in pictures.items()}, source)
    classes = _classes(matches, names)
    owned: dict[str, dict[str, Path]] = {stem: {} for stem in pictures}
    for mask, (stem, name) in matches.items():
        owned[stem][name if classes else WHOLE] = masks[mask]
    left_out += _orphans(masks, matches, source)
    pairs = []
    for stem, (path, split) in sorted(pictures.items()):
        if owned[stem] or classes:
            pairs.append(Pair(stem, path, owned[stem], split))
        else:
            left_out.append(f"{path.relative_to(source).as_posix()}: no mask is called like it")
    if not pairs:
        raise DataError(
            f"{source}: no mask in masks/ is called like a picture in images/; "
            "name masks like their pictures, with the class as ending or folder if need be"
        )
    found = _sentences(matches, pairs, classes, masks)
    ending = "" if classes else next(iter(matches.values()))[1]
    if same_name(ending, _NO_CLASS) is not None:
        ending = ""
    return Layout(tuple(_listed(source, pairs)), classes, found, tuple(left_out), ending)


def _collect(
    source: Path,
) -> tuple[dict[str, tuple[Path, str | None]], dict[str, Path], list[str]]:
    """Return pictures with their splits, masks, and what cannot be told apart, by stem."""
    places = [(source, None), *((source / split, split) for split in SPLITS)]
    places = [(base, split) for base, split in places if (base / "images").is_dir()]
    if not places:
        raise DataError(
            f"{source}: no folder images/ at the top or in train/, val/ or test/; "
            "give a folder with images/ and masks/"
        )
    pictures: dict[str, tuple[Path, str | None]] = {}
    masks: dict[str, Path] = {}
    left_out: list[str] = []
    for base, split in places:
        # Only folders of splits may hold equal names; there the split becomes part of the stem.
        prefix = f"{split}/" if split else ""
        for stem, paths in _by_stem(base / "images").items():
            if len(paths) > 1:
                left_out.append(_ambiguous(paths, source))
            else:
                pictures[prefix + stem] = (paths[0], split)
        for stem, paths in _by_stem(base / "masks").items():
            if len(paths) > 1:
                left_out.append(_ambiguous(paths, source))
            else:
                masks[prefix + stem] = paths[0]
    return pictures, masks, left_out


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in find_images(folder):
        found.setdefault(stem_of(path, folder), []).append(path)
    return found


def _ambiguous(paths: Sequence[Path], source: Path) -> str:
    names = " and ".join(path.relative_to(source).as_posix() for path in paths)
    return f"{names}: differ only by their suffix, so nothing tells which counts"


def _exact(mask: str, pictures: Mapping[str, Path]) -> tuple[str, str] | None:
    return (mask, WHOLE) if mask in pictures else None


def _ending(mask: str, pictures: Mapping[str, Path]) -> tuple[str, str] | None:
    """Match ``a_dent`` to ``a``; of several pictures the one with the longest name."""
    # Never across a slash: the ending is one of the file's name.
    start = mask.rfind("/") + 1
    for place in range(len(mask) - 1, start, -1):
        if mask[place] in SEPARATORS and mask[:place] in pictures:
            return mask[:place], mask[place + 1 :]
    return None


def _class_folder(mask: str, pictures: Mapping[str, Path]) -> tuple[str, str] | None:
    parts = mask.split("/")
    for i in range(len(parts) - 1):
        stem = "/".join((*parts[:i], *parts[i + 1 :]))
        if stem in pictures:
            return stem, parts[i]
    return None


def _picture_folder(mask: str, pictures: Mapping[str, Path]) -> tuple[str, str] | None:
    stem, slash, name = mask.rpartition("/")
    return (stem, name) if slash and stem in pictures else None


_WAYS: Mapping[str, _Matcher] = {
    "called like its picture": _exact,
    "called like its picture with an ending": _ending,
    "in a folder of its class": _class_folder,
    "in a folder of its picture": _picture_folder,
}


def _matches(
    masks: Mapping[str, Path], pictures: Mapping[str, Path], source: Path
) -> dict[str, tuple[str, str]]:
    """Return picture and class of each mask by the one way that fits, masks without left out."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for mask in masks:
        for way, matcher in _WAYS.items():
            match = matcher(mask, pictures)
            if match is not None:
                found.setdefault(way, {})[mask] = match
                break
    if len(found) > 1:
        (first, some), (second, others) = list(found.items())[:2]
        one, other = (masks[next(iter(m))].relative_to(source).as_posix() for m in (some, others))
        raise DataError(
            f"{source.name}: {one} is {first} and {other} is {second}, so nothing tells which "
            "masks count; keep one kind of them"
        )
    return next(iter(found.values()), {})


def _classes(matches: Mapping[str, tuple[str, str]], names: Sequence[str]) -> tuple[str, ...]:
    """Return the classes with files of their own, or nothing where a picture has one mask."""
    endings = sorted({name for _, name in matches.values()})
    if endings == [WHOLE] or not endings:
        return ()
    # One ending for all, like a_mask.png, tells no class, unless a class is called so.
    if len(endings) == 1 and same_name(endings[0], names) is None:
        return ()
    return tuple(endings)


def _orphans(
    masks: Mapping[str, Path], matches: Mapping[str, tuple[str, str]], source: Path
) -> Iterator[str]:
    for stem, path in masks.items():
        if stem not in matches:
            yield f"{path.relative_to(source).as_posix()}: no picture is called like this mask"


def _sentences(
    matches: Mapping[str, tuple[str, str]],
    pairs: Sequence[Pair],
    classes: Sequence[str],
    masks: Mapping[str, Path],
) -> tuple[str, ...]:
    if not classes:
        ending = next(iter(matches.values()))[1]
        like = f", called like it with the ending {ending!r}" if ending else ""
        return (f"one mask for each of {len(pairs)} pictures{like}",)
    sentences = [
        f"one mask for each class, of {', '.join(classes)}: {len(matches)} files for "
        f"{len(pairs)} pictures, such as masks/{next(iter(matches))}{_suffix(masks)}"
    ]
    without = [pair.stem for pair in pairs if not pair.masks]
    if without:
        listed = ", ".join(without[:_MOST_NAMED]) + (", ..." if len(without) > _MOST_NAMED else "")
        sentences.append(f"{len(without)} pictures have no mask, so nothing is on them ({listed})")
    return tuple(sentences)


def _suffix(masks: Mapping[str, Path]) -> str:
    return next(iter(masks.values())).suffix


def _listed(source: Path, pairs: Iterable[Pair]) -> Iterator[Pair]:
    """Take the splits from ``splits/*.txt`` of the source when there are such files."""
    homes: dict[str, str] = {}
    for split in SPLITS:
        for stem in read_split(source, split):
            if homes.setdefault(stem, split) != split:
                raise DataError(
                    f"splits/{split}.txt: {stem!r} is also in splits/{homes[stem]}.txt; "
                    "keep it in one of them"
                )
    for pair in pairs:
        yield replace(pair, split=homes.get(pair.stem, pair.split))
