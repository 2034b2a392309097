"""Add the conditions of the training pictures to a checkpoint that was made without them.

    python scripts/add_conditions.py checkpoints/magnetic-tile.safetensors data/tiles

Measures the dataset's split ``train`` as a training does and writes the result into the header.
Every byte of the weights stays as it is.
"""

import argparse
import dataclasses
import json
import struct
import sys
from pathlib import Path

from segnet_res import SegmentationDataset
from segnet_res.checkpoint import read_metadata
from segnet_res.data import fingerprint
from segnet_res.errors import SegnetResError
from segnet_res.images import atomic_write
from segnet_res.training.statistics import learn_conditions

# What a header of safetensors is filled up to, with spaces, so that the weights are aligned.
_ALIGNMENT = 8


def with_conditions(content: bytes, description: str) -> bytes:
    """Return the content of a checkpoint with another description in its header."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["segnet_res"] = description
    written = json.dumps(header, separators=(",", ":")).encode()
    written += b" " * (-len(written) % _ALIGNMENT)
    return struct.pack("<Q", len(written)) + written + content[8 + length :]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("dataset", type=Path)
    arguments = parser.parse_args()
    try:
        metadata = read_metadata(arguments.checkpoint)
        dataset = SegmentationDataset(arguments.dataset, "train")
        if metadata.data.get("fingerprint") != fingerprint(dataset):
            raise SegnetResError(
                f"{arguments.dataset}: its training split is not the one that the checkpoint was "
                f"trained on ({metadata.data.get('name')}, {metadata.data.get('images')} "
                "pictures); give that dataset"
            )
        conditions = learn_conditions(dataset)
        described = dataclasses.replace(metadata, conditions=conditions).to_json()
        content = with_conditions(arguments.checkpoint.read_bytes(), described)
        with atomic_write(arguments.checkpoint) as file:
            file.write(content)
    except SegnetResError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
