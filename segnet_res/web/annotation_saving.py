"""Keeps corrected masks: drafts while somebody works, datasets when it is done."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segnet_res.classes import ClassMap, Color, format_color
from segnet_res.data.dataset import load_info
from segnet_res.errors import DataError, ImageError, UsageError
from segnet_res.images import Channels, UInt8Array, image_size
from segnet_res.retraining.corrections import (
    STATES,
    Annotation,
    ConflictError,
    add_class,
    check_saving,
    make_dataset,
    save_correction,
)
from segnet_res.retraining.drafts import Drafts
from segnet_res.web.annotation_classes import (
    IGNORE,
    class_name,
    free_color,
    into_dataset,
    named_classes,
)
from segnet_res.web.annotation_places import Fingerprints, Places
from segnet_res.web.backend import Backend
from segnet_res.web.batch_names import shown_name
from segnet_res.web.pictures import Picture
from segnet_res.web.reference import read_mask_as_stored
from segnet_res.web.results import GoneError

Fields = dict[str, Any]

_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST = 100

# What the names begin with that the script gives to the masks that it uploads. The rest differs
# each time: Gradio keeps equal contents of one name as one file.
UPLOAD_PREFIX = "corrected-mask-"

# What every system can write, and nobody has to quote.
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


# Whose drafts those would be of whom neither a login nor a browser tells.
NOBODY = ""


@dataclass(frozen=True)
class Person:
    """Who asks.

    Attributes:
        key: Tells one person's drafts from those of the others.
        name: What is written down with a saved mask; may be empty.
    """

    key: str
    name: str

    @classmethod
    def of(cls, fields: Mapping[str, Any], user: str | None) -> "Person":
        """Return who asks: the login's user, else who the browser says it is.

        Args:
            fields: Untrusted; ``who`` is the name that was typed, ``browser`` what tells this
                browser from others.
            user: Who has logged in, or None where nobody has to.
        """
        if user is not None:
            return cls(f"user {user}", user)
        browser, who = fields.get("browser"), fields.get("who")
        known = isinstance(browser, str) and re.fullmatch(r"[A-Za-z0-9-]{8,64}", browser)
        name = shown_name(who.strip())[:_LONGEST] if isinstance(who, str) else ""
        return cls(f"browser {browser}" if known else NOBODY, name)


class Keeper:
    """Saves drafts and corrected masks; everything that it is given comes from a browser.

    Args:
        backend: What stands behind the page.
        places: Finds datasets.
        fingerprints: Tell which pictures are the same.
        drafts: Where work in progress is kept.
    """

    def __init__(
        self, backend: Backend, places: Places, fingerprints: Fingerprints, drafts: Drafts
    ) -> None:
        self._backend = backend
        self._places = places
        self._fingerprints = fingerprints
        self._drafts = drafts

    def draft(self, fields: Fields, person: Person) -> Fields:
        """Keep a mask that somebody works on; ``when`` tells the time.

        Raises:
            UsageError: when nobody knows whose it is.
            DataError: when the mask does not fit the picture or its classes.
            StorageError: when it cannot be kept.
        """
        if person.key == NOBODY:
            raise UsageError("the page does not say whose draft it is; reload it")
        picture = self._picture(fields)
        labels, names, _ = self._mask(fields, picture)
        when = self._drafts.save(
            self._fingerprints.of(picture.path),
            labels,
            list(names),
            who=person.key,
            ignore=IGNORE,
            opened=_opened(fields),
            proposed_by=_text(fields, "proposed_by") or None,
            name=picture.name,
            dataset=_text(fields, "dataset") or None,
            **_whose(fields),
        )
        return {"when": when}

    def save(self, fields: Fields, person: Person) -> Fields:
        """Save a corrected mask into a dataset.

        Returns:
            ``saved``: what was written down; or ``conflict``: who has saved another mask meanwhile.

        Raises:
            UsageError: when dataset, state or name is missing.
            DataError: when the mask does not fit.
            StorageError: when it cannot be written.
        """
        if not person.name:
            raise UsageError("your name is missing; write it into the field beside the buttons")
        state = fields.get("state")
        if state not in STATES:
            raise UsageError(f"a picture can be {', '.join(STATES)}; press one of the buttons")
        root = self._places.dataset(fields.get("dataset"))
        picture = self._picture(fields)
        labels, names, colors = self._mask(fields, picture)
        overwrite = fields.get("overwrite") is True
        try:
            if _shows_new_class(labels, names, root):
                # By the time that the mask is saved the class has joined the dataset.
                check_saving(
                    root,
                    picture.path,
                    labels,
                    name=picture.name,
                    state=str(state),
                    part=_text(fields, "part") or None,
                    opened=_opened(fields),
                    overwrite=overwrite,
                )
            line = save_correction(
                root,
                picture.path,
                into_dataset(labels, names, colors, root),
                name=picture.name,
                who=person.name,
                state=str(state),
                part=_text(fields, "part") or None,
                proposed_by=_text(fields, "proposed_by") or None,
                opened=_opened(fields),
                overwrite=overwrite,
            )
        except ConflictError as conflict:
            found = conflict.annotation
            return {"conflict": told(found) if found else {"who": None, "when": None}}
        # A draft that cannot go is no reason to say that nothing was saved.
        with suppress(OSError):
            sha = self._fingerprints.of(picture.path)
            self._drafts.remove(sha, person.key, **_whose(fields))
        return {"saved": told(line)}

    def new_dataset(self, fields: Fields) -> Fields:
        """Make an empty dataset below the folder of datasets; ``made`` is its name.

        Its classes are ``names``, in the colours that ``model`` gives them; whether its pictures
        are read as grey is as the model has it, too.

        Raises:
            UsageError: when the name cannot be one, or is taken.
            DataError: when its classes cannot be used.
            StorageError: when it cannot be made.
        """
        root = self._backend.folders.root
        name = _text(fields, "name").strip()
        if root is None or not _FOLDER_NAME.fullmatch(name):
            raise UsageError(
                f"a dataset cannot be called {shown_name(name)[:_LONGEST]!r}; take 1 to 64 "
                "letters without accents, digits, dots, hyphens and underscores"
            )
        # Systems differ in whether they tell capitals apart.
        if name.casefold() in {entry.name.casefold() for entry in root.iterdir()}:
            raise UsageError(f"there is a folder {name} already; give the dataset another name")
        listed = fields.get("names")
        names = [class_name(one) for one in listed] if isinstance(listed, list) else []
        entries = {entry.name: entry.metadata for entry in self._backend.checkpoints.entries()}
        model = entries.get(_text(fields, "model"))
        channels: Channels = 1 if model is not None and model.channels == 1 else 3
        known = None if model is None else model.class_map
        make_dataset(root / name, name, _colored(names, known), channels)
        return {"made": name}

    def new_class(self, fields: Fields) -> Fields:
        """Add a class to a dataset; ``added`` tells its name and colour.

        Raises:
            DataError: when the name is taken or cannot be one, or masks have no room for it.
            StorageError: when the dataset cannot be written.
        """
        root = self._places.dataset(fields.get("dataset"))
        name = class_name(fields.get("name"))
        class_map = load_info(root).class_map
        wanted = ClassMap.from_names([*class_map.names, name]).colors[-1]
        color = free_color(wanted, class_map.colors)
        class_map = add_class(root, name, color)
        return {"added": {"name": name, "color": format_color(class_map.colors[-1])}}

    def _picture(self, fields: Fields) -> Picture:
        return find_source(self._backend, fields)

    def _mask(
        self, fields: Fields, picture: Picture
    ) -> tuple[UInt8Array, tuple[str, ...], tuple[Color, ...]]:
        """Return labels (H, W) uint8 with the names and colours of their classes."""
        # A camera may have written the next part under this name: the mask is not of that one.
        sha256 = fields.get("picture_sha256")
        if sha256 is not None and sha256 != self._fingerprints.of(picture.path):
            raise DataError(
                f"{picture.name}: has changed since it was opened; reload the page to see what is "
                "there now"
            )
        names, colors = named_classes(fields.get("classes"))
        path = self._backend.pictures.uploaded(fields.get("mask"))
        height, width = image_size(picture.path)
        # The header is asked first: a small file can claim any size.
        if image_size(path) != (height, width):
            raise DataError(
                f"the mask has another size than {picture.name} ({width}x{height}); open the "
                "picture again"
            )
        labels = read_mask_as_stored(path)
        if path.name.startswith(UPLOAD_PREFIX):
            path.unlink(missing_ok=True)  # there is another one every few seconds
        counts = np.bincount(labels.ravel(), minlength=256)
        if counts[len(names) : IGNORE].any():
            raise DataError("the mask holds labels without a class; open the picture again")
        return labels, names, colors


def _shows_new_class(labels: UInt8Array, names: tuple[str, ...], root: Path) -> bool:
    """Return whether a mask (H, W) shows classes that a dataset lacks."""
    known = load_info(root).class_map.names
    shown = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    return any(label != IGNORE and names[label] not in known for label in shown)


def _colored(names: list[str], known: ClassMap | None) -> ClassMap:
    """Give each class the colour that it has in another map, or a free one."""
    plain = ClassMap.from_names(names, ignore_index=IGNORE)
    colors: list[Color] = []
    for name, color in zip(plain.names, plain.colors, strict=True):
        other = known.colors[known.index(name)] if known and name in known.names else color
        colors.append(free_color(other, colors))
    return ClassMap(plain.names, tuple(colors), IGNORE)


def find_source(backend: Backend, fields: Fields) -> Picture:
    """Return the picture that ``source`` describes, see `Pictures.find`.

    Raises:
        GoneError: when it was uploaded and is no longer here; the browser may send it again.
        ImageError: when there is no such picture.
        DataError: when its dataset or folder cannot be used.
    """
    source = fields.get("source")
    try:
        return backend.pictures.find(source)
    except ImageError as error:
        if isinstance(source, dict) and source.get("kind") == "upload":
            raise GoneError(str(error)) from error
        raise


def told(line: Annotation) -> Fields:
    """Return an annotation as the page shows it, as plain texts and numbers."""
    return {
        "stem": line.stem,
        "state": line.state,
        "who": line.who,
        "when": line.when,
        "revision": line.revision,
        "split": line.split,
        "part": line.part,
        "proposed_by": line.proposed_by,
        "mask_sha256": line.mask_sha256,
    }


def _opened(fields: Fields) -> str | None:
    """Return the hash of the mask that the person began with, or None where there was none."""
    opened = fields.get("opened")
    return opened if isinstance(opened, str) and _SHA256.fullmatch(opened) else None


def _whose(fields: Fields) -> dict[str, str]:
    """Return which tab asks, and the draft that it knows: work of others is not to be lost."""
    return {"tab": _text(fields, "tab"), "known": _text(fields, "draft")}


def _text(fields: Fields, key: str) -> str:
    value = fields.get(key)
    return shown_name(value) if isinstance(value, str) and len(value) <= 1000 else ""
