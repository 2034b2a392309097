"""What an exported file says about itself: the texts in it, read without what runs the model.

An export is an ONNX file, or the two files of OpenVINO's IR: ``x.xml`` with the network and the
texts, and ``x.bin`` beside it with the weights.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from segnet_res.errors import CheckpointError

ONNX = ".onnx"
IR = ".xml"
SUFFIXES = (ONNX, IR)

# The key of the checkpoint's description (`Metadata.to_json`), and that of the export's own form.
METADATA_KEY = "segnet_res"
FORM_KEY = "segnet_res_export"

# Fields of the messages ModelProto and StringStringEntryProto of ONNX.
_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2

# What follows the tag of a field, by its type: a number, 8 bytes, a length and so many bytes, or
# 4 bytes.
_VARINT, _EIGHT, _COUNTED, _FOUR = 0, 1, 2, 5
_FIXED_LENGTHS = {_EIGHT: 8, _FOUR: 4}

# Longer texts are none of ours.
_MAX_TEXT = 16_000_000


@dataclass(frozen=True)
class Form:
    """How a model was exported.

    Attributes:
        source: Name and short hash of the checkpoint.
        normalised: Whether normalisation is inside, so that pixels of 0 to 255 go in as uint8;
            else float32 goes in, less the mean and divided by the standard deviation.
        labels: Whether labels and their confidence come out instead of logits.
        precision: ``float32`` or ``int8``.
        weights: SHA-256 of the ``.bin`` beside an ``.xml``; empty for ONNX, which is one file.
    """

    source: str
    normalised: bool = True
    labels: bool = False
    precision: str = "float32"
    weights: str = ""

    def to_json(self) -> str:
        """Return the text for the file."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Form":
        """Read what `to_json` wrote; keys that this version does not know are left out.

        Raises:
            ValueError: when it is something else.
        """
        content = json.loads(text)
        if not isinstance(content, dict) or "source" not in content:
            raise ValueError("no description of an export")
        form = cls(**{key: content[key] for key in cls.__dataclass_fields__ if key in content})
        if [type(value) for value in asdict(form).values()] != [str, bool, bool, str, str]:
            raise ValueError("a description of an export of other types")
        return form


def is_export(path: Path) -> bool:
    """Tell by its name whether a file is an export rather than a checkpoint."""
    return path.suffix.lower() in SUFFIXES


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the files that belong together: the ``.xml`` and its ``.bin``, or the file alone."""
    return (path, weights_of(path)) if path.suffix.lower() == IR else (path,)


def weights_of(path: Path) -> Path:
    """Return where the weights of an ``.xml`` are."""
    return path.with_suffix(".bin")


def read_form(path: Path) -> Form:
    """Read how a file was exported.

    Raises:
        CheckpointError: when it cannot be read, or is no export of this program.
    """
    text = read_texts(path)[FORM_KEY]
    try:
        return Form.from_json(text)
    except (ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path.name}: its description of the export is damaged; export it again"
        ) from error


def check_weights(path: Path, form: Form) -> None:
    """Refuse an ``.xml`` beside weights that are not its own.

    Raises:
        CheckpointError: when the ``.bin`` is missing or another one.
    """
    if not form.weights:
        return
    weights = weights_of(path)
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(
            f"{weights}: cannot be read ({error.strerror}); "
            f"it holds the weights of {path.name}: copy both files"
        ) from error
    if found != form.weights:
        raise CheckpointError(
            f"{weights.name}: holds other weights than {path.name} was written with; "
            "copy both files again"
        )


def read_texts(path: Path) -> dict[str, str]:
    """Read the texts of an export; both keys of this module are among them.

    Raises:
        CheckpointError: when the file cannot be read, or is no export of this program.
    """
    try:
        texts = _ir_texts(path) if path.suffix.lower() == IR else _onnx_texts(path)
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); check the path"
        ) from error
    except (ValueError, LookupError, ElementTree.ParseError):
        texts = {}
    if METADATA_KEY not in texts or FORM_KEY not in texts:
        raise CheckpointError(
            f"{path.name}: not an export of segnet_res (it names no model); "
            "give a file that `segnet-res export` wrote"
        )
    return texts


def _ir_texts(path: Path) -> dict[str, str]:
    found = ElementTree.parse(path).getroot().find("rt_info")
    entries = () if found is None else found
    return {entry.tag: entry.get("value", "") for entry in entries}


def _onnx_texts(path: Path) -> dict[str, str]:
    """Read the metadata of an ONNX file; what it says of the network is skipped, not read."""
    texts = {}
    with path.open("rb") as file:
        for _, content in _fields(file, path.stat().st_size, wanted={_METADATA_PROPS}):
            entry = dict(_fields(BytesIO(content), len(content), wanted={_KEY, _VALUE}))
            if _KEY in entry:
                texts[entry[_KEY].decode()] = entry.get(_VALUE, b"").decode()
    return texts


def _fields(file: IO[bytes], size: int, *, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the counted fields of a protobuf message.

    Raises:
        ValueError: when it is no such message.
    """
    while file.tell() < size:
        tag = _varint(file)
        field, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _varint(file)
            continue
        if kind != _COUNTED and kind not in _FIXED_LENGTHS:
            raise ValueError(f"type {kind} of field {field} is unknown")
        length = _varint(file) if kind == _COUNTED else _FIXED_LENGTHS[kind]
        if length > size - file.tell():
            raise ValueError(f"field {field} ends after the file")
        if kind == _COUNTED and field in wanted and length <= _MAX_TEXT:
            yield field, file.read(length)
        else:
            file.seek(length, 1)


def _varint(file: IO[bytes]) -> int:
    """Read a number of 7 bits a byte, the lowest first.

    Raises:
        ValueError: when the file ends, or the number has more than 64 bits.
    """
    value = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise ValueError("the file ends within a number")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number has more than 64 bits")
