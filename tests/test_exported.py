"""What exports say about themselves, read without the packages that run them."""

import json
import shutil
from contextlib import suppress

import numpy as np
import pytest

from segnet_res.checkpoint import (
    Checkpoint,
    checkpoint_name,
    digest,
    find_checkpoints,
    read_metadata,
    short_hash,
)
from segnet_res.errors import CheckpointError
from segnet_res.exported import FORM_KEY, METADATA_KEY, Form, check_weights, read_form, read_texts


def field(number, content):
    """A counted field of protobuf, up to 127 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def entry(key, value):
    return field(14, field(1, key.encode()) + field(2, value.encode()))


OURS = entry(METADATA_KEY, "{}") + entry(FORM_KEY, '{"source": "x"}')


@pytest.fixture
def folder(tiny_exports, tmp_path):
    return shutil.copytree(tiny_exports, tmp_path / "exports")


@pytest.mark.parametrize("name", ["tiny.onnx", "tiny.xml"])
def test_the_description_of_the_checkpoint_is_carried_along(tiny_exports, name):
    metadata = read_metadata(tiny_exports / "tiny.safetensors")
    assert read_metadata(tiny_exports / name) == metadata
    texts = read_texts(tiny_exports / name)
    assert json.loads(texts["segnet_res"])["class_map"]["classes"][1]["name"] == "scratch"
    form = read_form(tiny_exports / name)
    assert (form.source, form.normalised, form.labels) == ("tiny", True, False)
    assert len(form.weights) == (64 if name == "tiny.xml" else 0)


def test_fields_of_every_type_are_passed_over(tmp_path):
    path = tmp_path / "x.onnx"
    # Two numbers, of which one takes two bytes, 8 bytes, 4 bytes, and a graph of 300 bytes that
    # looks like metadata inside.
    others = b"\x08\x0a" + b"\x28\xac\x02" + b"\x11" + b"\0" * 8 + b"\x1d" + b"\0" * 4
    graph = bytes([7 << 3 | 2, 0xAC, 0x02]) + (OURS * 10)[:300]
    path.write_bytes(others + graph + entry("other", "text") + OURS)
    assert read_texts(path) == {
        METADATA_KEY: "{}",
        FORM_KEY: '{"source": "x"}',
        "other": "text",
    }
    assert read_form(path) == Form("x")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no model",
        entry(METADATA_KEY, "{}"),
        OURS[:-1],
        OURS + b"\xff" * 11,
        b"\x3a\xff\xff\xff\xff\x7f" + OURS,
        field(14, field(1, b"\xff\xfe")) + OURS,
    ],
)
def test_onnx_of_others(tmp_path, content):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    message = r"x\.onnx: not an export of segnet_res \(it names no model\); give a file that `seg"
    with pytest.raises(CheckpointError, match=message):
        read_metadata(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no xml",
        "<net/>",
        "<net><rt_info><segnet_res/></rt_in",
        '<?xml version="1.0" encoding="foo"?><net/>',
    ],
)
def test_xml_of_others(tmp_path, content):
    path = tmp_path / "x.xml"
    path.write_text(content)
    with pytest.raises(CheckpointError, match=r"x\.xml: not an export of segnet_res"):
        read_metadata(path)


def test_bytes_by_chance_give_one_sentence(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "x.onnx"
    for _ in range(300):
        content = bytearray(OURS)
        for place in rng.integers(0, len(content), 3):
            content[place] = rng.integers(0, 256)
        path.write_bytes(content)
        # Most are refused; what is not must be one of ours.
        with suppress(CheckpointError):
            assert isinstance(read_form(path), Form)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"source": 1}', '{"source": "", "labels": 2}'])
def test_a_damaged_form(tmp_path, text):
    path = tmp_path / "x.onnx"
    path.write_bytes(entry(METADATA_KEY, "{}") + entry(FORM_KEY, text))
    message = r"x\.onnx: its description of the export is damaged; export it again"
    with pytest.raises(CheckpointError, match=message):
        read_form(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot be read \(No such file.*check the path"):
        read_metadata(tmp_path / "x.onnx")


def test_weights_of_another_export(folder):
    form = read_form(folder / "tiny.xml")
    check_weights(folder / "tiny.xml", form)
    with (folder / "tiny.bin").open("ab") as file:
        file.write(b"1")
    message = r"tiny\.bin: holds other weights than tiny\.xml was written with; copy both files"
    with pytest.raises(CheckpointError, match=message):
        check_weights(folder / "tiny.xml", form)
    (folder / "tiny.bin").unlink()
    message = r"tiny\.bin: cannot be read .*; it holds the weights of tiny\.xml: copy both files"
    with pytest.raises(CheckpointError, match=message):
        check_weights(folder / "tiny.xml", form)


def test_exports_are_found_beside_checkpoints(folder):
    (folder / "annotations.xml").write_text("<annotations/>")
    (folder / "a.onnx").write_bytes(b"")
    names = ["a.onnx", "tiny", "tiny.onnx", "tiny.xml"]
    assert [checkpoint_name(path) for path in find_checkpoints(folder)] == names
    assert find_checkpoints(folder / "missing") == []


def test_the_hash_covers_the_weights(folder):
    before = digest(folder / "tiny.xml")
    assert len(before) == 64
    assert short_hash(folder / "tiny.xml") == before[:12]
    with (folder / "tiny.bin").open("ab") as file:
        file.write(b"1")
    assert digest(folder / "tiny.xml") != before


def test_no_model_is_built_of_an_export(tiny_exports):
    message = r"tiny\.onnx: is an export, from which no model can be built again; give the \.safet"
    with pytest.raises(CheckpointError, match=message):
        Checkpoint.load(tiny_exports / "tiny.onnx")
