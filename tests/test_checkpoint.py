import json
import math
import os
import pickle
import struct
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from segnet_res import Checkpoint
from segnet_res.checkpoint import Metadata, find_checkpoints, read_metadata, short_hash
from segnet_res.classes import ClassMap
from segnet_res.conditions import Conditions, KnownConditions
from segnet_res.errors import CheckpointError, StorageError
from segnet_res.models import build_model


@pytest.fixture
def checkpoint():
    model = build_model("ressegnet-tiny", num_classes=2, channels=1, mean=[9.0], std=[3.0])
    metadata = Metadata(
        architecture="ressegnet-tiny",
        class_map=ClassMap.from_names(["sound", "dent"]),
        channels=1,
        mean=(9.0,),
        std=(3.0,),
        class_shares=(0.99, 0.01),
        recipe={"epochs": 3},
        data={"name": "caps", "images": 4, "fingerprint": "ab"},
        scores={"miou": 0.5},
        parent="before 0123",
        licence="free",
        conditions=KnownConditions.of([Conditions(90.5, 20.0, 0.7, 1.5, 640, 480)]),
    )
    return Checkpoint(metadata, model.state_dict())


def test_round_trip(checkpoint, tmp_path):
    path = tmp_path / "caps.safetensors"
    checkpoint.save(path)
    loaded = Checkpoint.load(path)
    assert loaded.metadata == checkpoint.metadata
    assert read_metadata(path) == checkpoint.metadata
    assert loaded.tensors.keys() == checkpoint.tensors.keys()
    assert all(torch.equal(loaded.tensors[key], value) for key, value in checkpoint.tensors.items())
    model = loaded.build_model()
    assert not model.training
    assert model.mean.item() == 9
    assert find_checkpoints(tmp_path) == [path]
    assert len(short_hash(path)) == 12


def test_switches_are_rebuilt(tmp_path):
    model = build_model("ressegnet-tiny", num_classes=2, path=False)
    metadata = Metadata(
        "ressegnet-tiny",
        ClassMap.from_names(["a", "b"]),
        3,
        (1.0,) * 3,
        (1.0,) * 3,
        {"path": False},
    )
    Checkpoint(metadata, model.state_dict()).save(tmp_path / "x.safetensors")
    assert Checkpoint.load(tmp_path / "x.safetensors").build_model().path is None


def test_the_header_is_read_without_torch(checkpoint, tmp_path):
    path = tmp_path / "caps.safetensors"
    checkpoint.save(path)
    code = (
        "import sys; from segnet_res.checkpoint import read_metadata; "
        f"read_metadata({str(path)!r}); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_failed_write_leaves_the_old_file(checkpoint, tmp_path, monkeypatch):
    path = tmp_path / "caps.safetensors"
    path.write_bytes(b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        checkpoint.save(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def write_header(path, metadata, **tensors):
    header = json.dumps({"__metadata__": metadata, **tensors}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def test_files_that_are_not_checkpoints(checkpoint, tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(CheckpointError, match=r"cannot be read .*check the path"):
        Checkpoint.load(path)
    for content in (b"", b"abc", b"\xff" * 100, pickle.dumps({"a": 1}) * 20):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"x\.safetensors: not a checkpoint"):
            Checkpoint.load(path)
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="its header names no model"):
        Checkpoint.load(path)


def test_older_ones_know_no_conditions(checkpoint, tmp_path):
    path = tmp_path / "x.safetensors"
    content = json.loads(checkpoint.metadata.to_json())
    del content["conditions"]
    write_header(path, {"segnet_res": json.dumps(content)})
    assert read_metadata(path).conditions is None
    known = checkpoint.metadata.conditions.to_dict()
    quantiles = known["quantiles"]
    lost = quantiles | {"noise": [math.nan] * len(quantiles["noise"])}
    for broken in ({"pictures": 3}, known | {"quantiles": lost}):
        write_header(path, {"segnet_res": json.dumps(content | {"conditions": broken})})
        with pytest.raises(CheckpointError) as caught:
            read_metadata(path)
        assert str(caught.value) == (
            "x.safetensors: the conditions of the training pictures are damaged; "
            "copy the checkpoint again"
        )


def test_newer_and_damaged_ones(checkpoint, tmp_path):
    path = tmp_path / "x.safetensors"
    content = json.loads(checkpoint.metadata.to_json())
    write_header(path, {"segnet_res": json.dumps(content | {"format_version": 99})})
    with pytest.raises(CheckpointError, match=r"format version 99 is newer .*upgrade segnet_res"):
        Checkpoint.load(path)
    for broken in ({"channels": 2}, {"mean": None, "class_map": {}}, {"class_map": 5}):
        write_header(path, {"segnet_res": json.dumps(content | broken)})
        with pytest.raises(CheckpointError, match=r"^x\.safetensors: "):
            Checkpoint.load(path)
    write_header(path, {"segnet_res": "[]"})
    with pytest.raises(CheckpointError, match=r"damaged"):
        Checkpoint.load(path)


@pytest.mark.parametrize(
    "broken",
    [
        {"data": "x"},
        {"scores": 3},
        {"scores": {"miou": "0.5"}},
        {"scores": {"classes": 3}},
        {"scores": {"classes": ["sound"]}},
        {"scores": {"classes": [{"name": ["sound"]}]}},
        {"scores": {"classes": [{"name": "sound", "iou": "high"}]}},
        {"scores": {"classes": [{"name": "sound", "iou": 0.5, "pixels": []}]}},
        {"recipe": []},
        {"arguments": None},
        {"parent": 7},
        {"created": None},
        {"licence": {}},
        {"mean": [10**400]},
    ],
)
def test_a_description_of_other_kinds_is_refused(checkpoint, tmp_path, broken):
    # The page and `checkpoints list` show all of these without another look.
    path = tmp_path / "x.safetensors"
    content = json.loads(checkpoint.metadata.to_json())
    write_header(path, {"segnet_res": json.dumps(content | broken)})
    with pytest.raises(CheckpointError, match=r"^x\.safetensors: .* damaged"):
        read_metadata(path)


def test_a_header_of_a_hundred_thousand_brackets(tmp_path):
    path = tmp_path / "x.safetensors"
    header = b"[" * 100_000
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(CheckpointError, match=r"^x\.safetensors: not a checkpoint"):
        read_metadata(path)
    write_header(path, {"segnet_res": "[" * 100_000})
    with pytest.raises(CheckpointError, match=r"^x\.safetensors: .* damaged"):
        read_metadata(path)


@pytest.mark.parametrize("read", [read_metadata, Checkpoint.load])
def test_a_half_copied_file_is_damaged(checkpoint, tmp_path, read):
    path = tmp_path / "x.safetensors"
    checkpoint.save(path)
    whole = path.read_bytes()
    size = len(whole)
    for kept in (size - 1, size // 2):
        path.write_bytes(whole[:kept])
        with pytest.raises(CheckpointError) as caught:
            read(path)
        assert str(caught.value) == (
            f"x.safetensors: is cut off: {kept:,} of {size:,} bytes are there; copy it again"
        )
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert str(caught.value) == (
        f"x.safetensors: is damaged: {size + 1:,} bytes are there instead of {size:,}; "
        "copy it again"
    )


@pytest.mark.parametrize(
    "tensor",
    [5, None, {}, {"data_offsets": []}, {"data_offsets": [0, None]}, {"data_offsets": [0, 1e999]}],
)
def test_a_damaged_list_of_weights(checkpoint, tmp_path, tensor):
    path = tmp_path / "x.safetensors"
    write_header(path, {"segnet_res": checkpoint.metadata.to_json()}, tensor=tensor)
    with pytest.raises(
        CheckpointError, match=r"^x\.safetensors: its list of weights is damaged .*copy it again$"
    ):
        read_metadata(path)


def test_weights_that_safetensors_refuses(checkpoint, tmp_path):
    path = tmp_path / "x.safetensors"
    tensor = {"dtype": "F32", "shape": [3], "data_offsets": [0, 0]}
    write_header(path, {"segnet_res": checkpoint.metadata.to_json()}, tensor=tensor)
    with pytest.raises(CheckpointError, match=r"the weights are damaged .*copy the file again"):
        Checkpoint.load(path)


def test_weights_that_do_not_fit(checkpoint):
    checkpoint.tensors.pop("classifier.weight")
    with pytest.raises(CheckpointError, match="do not fit the architecture ressegnet-tiny"):
        checkpoint.build_model()
