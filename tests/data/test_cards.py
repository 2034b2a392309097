"""The folders of ``datasets/`` tell what the importers do."""

from pathlib import Path

import pytest

from segnet_res.data.dataset import format_info
from segnet_res.data.importers import camvid, magnetic_tile

DATASETS = Path(__file__).resolve().parents[2] / "datasets"


@pytest.mark.parametrize("info", [camvid.INFO, magnetic_tile.INFO], ids=lambda info: info.name)
def test_yaml_is_what_the_importer_writes(info):
    folder = DATASETS / info.name
    assert (folder / "dataset.yaml").read_text(encoding="utf-8") == format_info(info)
    text = (folder / "README.md").read_text(encoding="utf-8")
    for name in info.class_map.names:
        assert name in text
    assert f"segnet-res data import {info.name} " in text
