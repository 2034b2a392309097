"""Checkpoints that people upload: refused unless they are one that works."""

import json
import pickle
import struct

import pytest
import torch
from safetensors.torch import save_file

from segnet_res.checkpoint import Checkpoint
from segnet_res.errors import CheckpointError, StorageError
from segnet_res.web.acceptance import accept
from segnet_res.web.checkpoints import Library


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


@pytest.fixture
def upload(tmp_path, tiny_checkpoint):
    """A good checkpoint where the browser's uploads lie."""
    path = tmp_path / "uploads" / "file.safetensors"
    path.parent.mkdir()
    path.write_bytes(tiny_checkpoint.read_bytes())
    return path


def rewrite(path, change):
    """Save the checkpoint again after `change(tensors, metadata as a dict)`."""
    checkpoint = Checkpoint.load(path)
    tensors = {name: tensor.clone() for name, tensor in checkpoint.tensors.items()}
    meta = json.loads(checkpoint.metadata.to_json())
    change(tensors, meta)
    save_file(tensors, path, metadata={"segnet_res": json.dumps(meta)})


def test_a_good_one_appears_whole_and_can_be_used(folder, upload):
    content = upload.read_bytes()
    assert accept(upload, "schicht B (2).safetensors", folder) == "schicht B (2)"
    assert [path.name for path in folder.iterdir()] == ["schicht B (2).safetensors"]
    assert (folder / "schicht B (2).safetensors").read_bytes() == content
    assert not upload.exists()
    with Library(folder, device="cpu").borrow("schicht B (2)") as segmenter:
        assert len(segmenter.class_map) == 2


@pytest.mark.parametrize("name", ["good.safetensors", "GOOD.safetensors"])
def test_nothing_is_overwritten(folder, upload, name):
    (folder / "good.safetensors").write_bytes(b"the old one")
    with pytest.raises(CheckpointError, match=r"the folder has a checkpoint of this name; rename"):
        accept(upload, name, folder)
    assert [path.read_bytes() for path in folder.iterdir()] == [b"the old one"]


def test_a_name_that_is_taken_meanwhile_is_not_overwritten(folder, upload, monkeypatch):
    def taken_meanwhile(path):
        (folder / "new.safetensors").write_bytes(b"of somebody else")

    monkeypatch.setattr("segnet_res.web.acceptance._try_out", taken_meanwhile)
    with pytest.raises(CheckpointError, match="has a checkpoint of this name"):
        accept(upload, "new.safetensors", folder)
    assert [path.read_bytes() for path in folder.iterdir()] == [b"of somebody else"]


@pytest.mark.parametrize(
    "name",
    ["../../evil.safetensors", "/etc/evil.safetensors", "C:\\temp\\evil.safetensors"],
)
def test_only_the_last_part_of_a_name_counts(folder, upload, name):
    assert accept(upload, name, folder) == "evil"
    assert (folder / "evil.safetensors").is_file()


@pytest.mark.parametrize(
    "name",
    [
        "..safetensors", ".hidden.safetensors", " x.safetensors", "a\nb.safetensors",
        "<img src=x>.safetensors", "${x}.safetensors", "x" * 120 + ".safetensors", ".safetensors",
        "a\0b.safetensors", "x .safetensors",
    ],
)  # fmt: skip
def test_odd_names_are_refused(folder, upload, name):
    with pytest.raises(CheckpointError, match="no name for a checkpoint; rename the file"):
        accept(upload, name, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.safetensors.exe", "model", ""])
def test_other_formats_are_refused_by_name(folder, upload, name):
    with pytest.raises(CheckpointError, match=r"no \.safetensors file; other formats can"):
        accept(upload, name, folder)


def test_other_formats_are_refused_by_content_and_never_unpickled(folder, upload):
    class Harm:
        def __reduce__(self):
            return (pytest.fail, ("it was unpickled",))

    upload.write_bytes(pickle.dumps(Harm()))
    with pytest.raises(CheckpointError, match=r"^good.safetensors: not a checkpoint; give a"):
        accept(upload, "good.safetensors", folder)
    torch.save({"a": torch.ones(1)}, upload)
    with pytest.raises(CheckpointError, match=r"^good.safetensors: not a checkpoint"):
        accept(upload, "good.safetensors", folder)
    assert list(folder.iterdir()) == []


def test_a_huge_header_is_not_even_read(folder, upload):
    with upload.open("wb") as file:
        file.write(struct.pack("<Q", 90_000_000))
        file.truncate(100_000_000)
    with pytest.raises(CheckpointError, match=r"its header is larger than 8 MB"):
        accept(upload, "good.safetensors", folder)


def test_a_cut_file_is_refused(folder, upload):
    content = upload.read_bytes()
    upload.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"^good.safetensors: is cut off: "):
        accept(upload, "good.safetensors", folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "architecture", ["smp:unet-tu-hf-hub:evil/model", "local-dir:/etc", "smp:unet-../x", "a b"]
)
def test_architectures_that_lead_elsewhere_are_refused(folder, upload, architecture):
    rewrite(upload, lambda _, meta: meta.update(architecture=architecture))
    with pytest.raises(CheckpointError, match=r"is no architecture; give a checkpoint that"):
        accept(upload, "good.safetensors", folder)


def test_an_architecture_of_other_weights_is_refused_before_it_takes_memory(folder, upload):
    rewrite(upload, lambda _, meta: meta.update(architecture="ressegnet-vgg16"))
    with pytest.raises(
        CheckpointError, match=r"the weights do not fit the architecture ressegnet-vgg16 \(see "
    ):
        accept(upload, "good.safetensors", folder)


def test_unknown_architectures_and_arguments_are_refused(folder, upload):
    content = upload.read_bytes()
    rewrite(upload, lambda _, meta: meta.update(architecture="resnet"))
    with pytest.raises(CheckpointError, match=r"its model cannot be built \("):
        accept(upload, "good.safetensors", folder)
    upload.write_bytes(content)
    rewrite(upload, lambda _, meta: meta.update(arguments={"num_classes": 10**9}))
    with pytest.raises(CheckpointError, match=r"its model cannot be built \("):
        accept(upload, "good.safetensors", folder)


def test_a_model_that_computes_nonsense_is_refused(folder, upload):
    def poison(tensors, _):
        for tensor in tensors.values():
            if tensor.is_floating_point():
                tensor.fill_(float("nan"))

    rewrite(upload, poison)
    with pytest.raises(CheckpointError, match=r"answers with values that are not numbers"):
        accept(upload, "good.safetensors", folder)


def test_a_folder_that_cannot_be_written_is_told(tmp_path, upload):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(StorageError, match="cannot be written"):
        accept(upload, "good.safetensors", blocked)
