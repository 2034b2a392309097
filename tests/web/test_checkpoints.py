"""Finding checkpoints, telling why one cannot be used, and lending models."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from segnet_res.checkpoint import Checkpoint, digest
from segnet_res.classes import ClassMap
from segnet_res.errors import CheckpointError
from segnet_res.inference import Segmenter
from segnet_res.web.checkpoints import Library, check_weights


@pytest.fixture
def folder(tmp_path, tiny_checkpoint):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    shutil.copy(tiny_checkpoint, folder / "tiny.safetensors")
    (folder / "broken.safetensors").write_bytes(b"nonsense")
    (folder / "notes.txt").write_text("no checkpoint")
    return folder


def test_every_file_has_a_card_broken_ones_with_their_reason(folder):
    broken, tiny = Library(folder).cards()
    assert broken["name"] == "broken"
    assert broken["error"].startswith("broken.safetensors: not a checkpoint; give a .safetensors")
    assert tiny["error"] is None
    assert tiny["architecture"] == "ressegnet-tiny"
    assert [row["name"] for row in tiny["classes"]] == ["sound", "scratch"]
    assert tiny["classes"][1]["color"] == "#e69f00"
    assert tiny["bytes"] == (folder / "tiny.safetensors").stat().st_size


def test_a_half_copied_one_is_broken_and_never_the_first(folder):
    whole = (folder / "tiny.safetensors").read_bytes()
    (folder / "a-cut.safetensors").write_bytes(whole[: len(whole) // 2])
    library = Library(folder)
    assert library.first() == "tiny"
    card = library.cards()[0]
    assert card["name"] == "a-cut"
    assert card["error"].startswith("a-cut.safetensors: is cut off: ")


def test_a_new_file_is_found_without_a_restart(folder):
    library = Library(folder)
    assert library.first() == "tiny"
    shutil.copy(folder / "tiny.safetensors", folder / "another.safetensors")
    assert library.first() == "another"


def test_road_scenes_come_last(folder):
    tiny = Checkpoint.load(folder / "tiny.safetensors")
    roads = replace(tiny.metadata, class_map=ClassMap.from_names(["Sky", "Road"]))
    Checkpoint(roads, tiny.tensors).save(folder / "a-road.safetensors")
    library = Library(folder)
    assert [entry.name for entry in library.entries()] == ["broken", "tiny", "a-road"]
    assert library.first() == "tiny"


def test_a_folder_that_is_missing_is_empty(tmp_path):
    library = Library(tmp_path / "none")
    assert library.cards() == []
    assert library.first() is None
    message = r"none: no checkpoint is called 'x'; put one there or train one"
    with pytest.raises(CheckpointError, match=message), library.borrow("x"):
        pass


@pytest.mark.parametrize("name", ["../tiny", "tiny.safetensors", "", "/etc/passwd"])
def test_names_never_become_paths(folder, name):
    message = r"no checkpoint is called .*; known are broken, tiny"
    with pytest.raises(CheckpointError, match=message), Library(folder).borrow(name):
        pass


def test_a_broken_checkpoint_cannot_be_borrowed(folder):
    message = r"broken.safetensors: not a checkpoint"
    with pytest.raises(CheckpointError, match=message), Library(folder).borrow("broken"):
        pass


def test_a_model_stays_loaded_and_is_loaded_anew_when_its_file_changes(folder):
    library = Library(folder, device="cpu")
    with library.borrow("tiny") as first:
        pass
    with library.borrow("tiny") as again:
        assert again is first
    copy = (folder / "tiny.safetensors").read_bytes()
    (folder / "tiny.safetensors").unlink()
    (folder / "tiny.safetensors").write_bytes(copy)
    with library.borrow("tiny") as reloaded:
        assert reloaded is not first


@pytest.mark.parametrize("flips", [False, True])
def test_mirror_images_are_averaged_where_the_page_was_started_so(folder, flips):
    image = np.random.default_rng(0).integers(0, 256, (48, 40, 1), np.uint8)
    alone = Segmenter.from_checkpoint(folder / "tiny.safetensors", "cpu", flips=flips)
    with Library(folder, device="cpu", flips=flips).borrow("tiny") as segmenter:
        assert np.array_equal(segmenter.predict(image).confidence, alone.predict(image).confidence)
        # Or the test could not fail.
        mirrored = segmenter.predict(image[:, ::-1]).confidence[:, ::-1]
        assert np.allclose(segmenter.predict(image).confidence, mirrored, atol=1e-5) is flips


def test_exports_are_listed_and_lent_beside_their_checkpoint(tiny_exports):
    library = Library(tiny_exports, device="cuda:9")
    cards = library.cards()
    assert [card["name"] for card in cards] == ["tiny", "tiny.onnx", "tiny.xml"]
    assert [card["error"] for card in cards] == [None] * 3
    assert {card["architecture"] for card in cards} == {"ressegnet-tiny"}
    both = [(tiny_exports / name).stat().st_size for name in ("tiny.xml", "tiny.bin")]
    assert cards[2]["bytes"] == sum(both) == library.key("tiny.xml")[2]
    assert library.first() == "tiny"
    for name, backend in (("tiny.onnx", "onnxruntime"), ("tiny.xml", "openvino")):
        # The page's device is for checkpoints: exports run on the CPU.
        with library.borrow(name) as segmenter:
            assert segmenter.backend == backend


def test_weights_are_told_apart_by_their_content(folder):
    library, path = Library(folder), folder / "tiny.safetensors"
    before = library.weights("tiny")
    assert before == digest(path)
    os.utime(path, ns=(1, 1))
    check_weights(library, "tiny", before)
    whole = Checkpoint.load(path)
    changed = {key: value + 1 for key, value in whole.tensors.items()}
    Checkpoint(whole.metadata, changed).save(path)
    assert library.weights("tiny") == digest(path)
    with pytest.raises(
        CheckpointError, match="the checkpoint tiny has changed since; choose the picture again"
    ):
        check_weights(library, "tiny", before)
    with pytest.raises(CheckpointError, match="no checkpoint is called 'nothing'"):
        library.weights("nothing")
