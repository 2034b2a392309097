import pytest
import torch

from segnet_res.errors import DeviceError, UsageError
from segnet_res.models import resolve_device


def test_names():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("gpu", "cpu:", "cpu:9", "cuda:²", "cuda:-1"):
        with pytest.raises(UsageError, match=f"device '{name}' is unknown; choose auto, cpu, cuda"):
            resolve_device(name)


def test_cuda_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="device cuda: 0 CUDA devices found; use --device cpu"):
        resolve_device("cuda")
