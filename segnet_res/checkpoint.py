"""One file that holds a model and everything that a reader needs to use it.

A checkpoint is a safetensors file: the weights, and in its header JSON that names architecture,
classes, recipe, data and scores. Reading it never unpickles; reading the header needs no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnet_res.classes import ClassMap
from segnet_res.conditions import KnownConditions
from segnet_res.errors import CheckpointError, SegnetResError
from segnet_res.exported import METADATA_KEY, files_of, is_export, read_texts
from segnet_res.images import atomic_write

if TYPE_CHECKING:
    from torch import Tensor

    from segnet_res.models import SegmentationModel

FORMAT_VERSION = 1
SUFFIX = ".safetensors"

# safetensors itself refuses longer headers.
_MAX_HEADER = 100_000_000

# What is shown of a checkpoint, without another look at it.
_TEXT = (str, type(None))
_KINDS: dict[str, type | tuple[type, ...]] = {
    "arguments": dict,
    "recipe": dict,
    "data": dict,
    "scores": (dict, type(None)),
    "created": str,
    "parent": _TEXT,
    "licence": _TEXT,
}


@dataclass(frozen=True)
class Metadata:
    """What a checkpoint says about itself.

    Attributes:
        architecture: Name for `build_model`.
        arguments: Further arguments for `build_model`, such as ``{"skip": False}``.
        class_map: Names, colours and ignore_index.
        channels: 3 (RGB) or 1 (grey).
        mean: Mean of each channel that pixels are normalised with, 0 to 255.
        std: Standard deviation of each channel, 0 to 255.
        class_shares: Share of the labelled training pixels of each class, 0 to 1.
        recipe: The options of the training.
        data: Name, number of pictures and fingerprint of the training data; of a final training
            also ``fingerprint_train`` and ``fingerprint_val``, those of the two splits.
        scores: `Scores.to_dict` on the validation split; None after a final training.
        parent: The checkpoint that the training started from: name and short hash.
        created: Date and time in UTC, ISO 8601.
        licence: Note on what the data allow.
        conditions: What the training pictures were like; None in checkpoints of older versions.
        format_version: Version of this layout.
    """

    architecture: str
    class_map: ClassMap
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    arguments: dict[str, Any] = field(default_factory=dict)
    class_shares: tuple[float, ...] | None = None
    recipe: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, Any] | None = None
    parent: str | None = None
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    licence: str | None = None
    conditions: KnownConditions | None = None
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """Return the text for the header."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        conditions = None if self.conditions is None else self.conditions.to_dict()
        told = {"class_map": self.class_map.to_dict(), "conditions": conditions}
        return json.dumps(content | told)

    @classmethod
    def from_json(cls, text: str) -> Metadata:
        """Read what `to_json` wrote; keys that this version does not know are left out.

        Raises:
            CheckpointError: when the version is newer or something is missing.
        """
        content = json.loads(text)
        version = content.get("format_version")
        if not isinstance(version, int) or version > FORMAT_VERSION:
            raise CheckpointError(
                f"format version {version!r} is newer than {FORMAT_VERSION}, the last one known "
                "here; upgrade segnet_res"
            )
        known = {key: value for key, value in content.items() if key in cls.__dataclass_fields__}
        for key, kinds in _KINDS.items():
            if key in known and not isinstance(known[key], kinds):
                raise TypeError(f"{key} is {str(known[key])[:40]}")
        _check_scores(known.get("scores") or {})
        known["class_map"] = ClassMap.from_dict(content["class_map"])
        if known.get("conditions") is not None:
            known["conditions"] = KnownConditions.from_dict(content["conditions"])
        for key in ("mean", "std", "class_shares"):
            if known.get(key) is not None:
                known[key] = tuple(float(value) for value in known[key])
        if known["channels"] not in (1, 3) or not isinstance(known["architecture"], str):
            raise CheckpointError("architecture or channels are damaged; train again")
        return cls(**known)


def _check_scores(scores: dict[str, Any]) -> None:
    """Refuse what `Scores.to_dict` would not write; what is missing is shown as not measured.

    Raises:
        TypeError: says what was found.
    """
    classes = scores.get("classes", [])
    for row in classes:
        if not isinstance(row, dict) or not isinstance(row.get("name"), str):
            raise TypeError(f"a score is {str(row)[:40]}")
    numbers = [scores.get("miou"), scores.get("images")]
    numbers += [row.get(key) for row in classes for key in ("iou", "pixels")]
    for number in numbers:
        if not isinstance(number, int | float | None):
            raise TypeError(f"a score is {str(number)[:40]}")


@dataclass
class Checkpoint:
    """Weights and what they mean.

    Attributes:
        metadata: Everything but the weights.
        tensors: State dict of the model, on the CPU.
    """

    metadata: Metadata
    tensors: dict[str, Tensor]

    @classmethod
    def load(cls, path: Path | str) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            CheckpointError: when the file is missing, none of ours, newer, or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = Path(path)
        metadata = read_metadata(path)
        if is_export(path):
            raise CheckpointError(
                f"{path.name}: is an export, from which no model can be built again; "
                f"give the {SUFFIX} file that it was made from"
            )
        try:
            return cls(metadata, load_file(path))
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path.name}: the weights are damaged ({error}); copy the file again"
            ) from error

    def save(self, path: Path | str) -> None:
        """Write the checkpoint, whole or not at all.

        Raises:
            StorageError: when the file cannot be written.
        """
        from safetensors.torch import save

        tensors = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        content = save(tensors, metadata={METADATA_KEY: self.metadata.to_json()})
        with atomic_write(Path(path)) as file:
            file.write(content)

    def build_model(self) -> SegmentationModel:
        """Build the model with these weights, on the CPU, in evaluation mode.

        Raises:
            CheckpointError: when the weights do not fit the architecture that is named.
        """
        from segnet_res.models import build_model

        meta = self.metadata
        try:
            model = build_model(
                meta.architecture,
                num_classes=len(meta.class_map),
                channels=meta.channels,
                mean=meta.mean,
                std=meta.std,
                **meta.arguments,
            )
            model.load_state_dict(self.tensors)
        except (SegnetResError, RuntimeError, TypeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise CheckpointError(
                f"the weights do not fit the architecture {meta.architecture} that the checkpoint "
                f"names ({reason}); use the version of segnet_res that wrote it"
            ) from error
        return model.eval()


def read_metadata(path: Path | str) -> Metadata:
    """Read what a checkpoint, or an export of one, says about itself; imports no torch.

    Raises:
        CheckpointError: when the file is missing, no safetensors file and no export, none of ours,
            cut off, or newer.
    """
    path = Path(path)
    text = read_texts(path)[METADATA_KEY] if is_export(path) else _header_text(path)
    try:
        return Metadata.from_json(text)
    except SegnetResError as error:
        raise CheckpointError(f"{path.name}: {error}") from error
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise CheckpointError(
            f"{path.name}: its description of the model is damaged ({error!r}); copy it again"
        ) from error


def _header_text(path: Path) -> str:
    """Return our JSON among the texts of a safetensors header.

    Raises:
        CheckpointError: when the file cannot be read, is none of ours, or not as long as its header
            says.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(_MAX_HEADER, size - 8):
                raise CheckpointError(
                    f"{path.name}: not a checkpoint; give a {SUFFIX} file that "
                    "`segnet-res train` wrote"
                )
            header = json.loads(file.read(length))
        text: str = header["__metadata__"][METADATA_KEY]
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); check the path"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path.name}: not a checkpoint of segnet_res (its header names no model); "
            f"give a {SUFFIX} file that `segnet-res train` wrote"
        ) from error
    _check_size(path, size, 8 + length + _weights_size(path, header))
    return text


def _weights_size(path: Path, header: dict[str, Any]) -> int:
    """Return how many bytes of weights a safetensors header tells of.

    Raises:
        CheckpointError: when it does not tell.
    """
    try:
        tensors = (entry for name, entry in header.items() if name != "__metadata__")
        return max((int(tensor["data_offsets"][1]) for tensor in tensors), default=0)
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"{path.name}: its list of weights is damaged ({error!r}); copy it again"
        ) from error


def _check_size(path: Path, size: int, expected: int) -> None:
    """Refuse a half-copied file, whose header alone looks good.

    Raises:
        CheckpointError: when the file is shorter or longer than expected.
    """
    if size < expected:
        raise CheckpointError(
            f"{path.name}: is cut off: {size:,} of {expected:,} bytes are there; copy it again"
        )
    if size > expected:
        raise CheckpointError(
            f"{path.name}: is damaged: {size:,} bytes are there instead of {expected:,}; "
            "copy it again"
        )


def find_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints and exports of a folder, by name; a checkpoint before its exports.

    An ``.xml`` counts where its ``.bin`` lies beside it: others are no networks.
    """
    found = [
        path
        for path in folder.glob("*")
        if (path.suffix == SUFFIX or is_export(path))
        and all(file.is_file() for file in files_of(path))
    ]
    return sorted(found, key=lambda path: (path.stem, path.suffix != SUFFIX, path.suffix))


def checkpoint_name(path: Path) -> str:
    """Return the name by which a checkpoint is listed and asked for.

    >>> checkpoint_name(Path("tiles.safetensors")), checkpoint_name(Path("tiles.onnx"))
    ('tiles', 'tiles.onnx')
    """
    return path.stem if path.suffix == SUFFIX else path.name


def digest(path: Path | str) -> str:
    """Return the SHA-256 of a checkpoint or export in hex digits; of all its files together."""
    together = hashlib.sha256()
    for part in files_of(Path(path)):
        with part.open("rb") as file:
            while block := file.read(1 << 20):
                together.update(block)
    return together.hexdigest()


def short_hash(path: Path | str) -> str:
    """Return the first 12 digits of `digest`, enough to tell checkpoints apart."""
    return digest(path)[:12]
