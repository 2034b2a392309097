import pickle
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torchvision.models import VGG16_BN_Weights, vgg16_bn

from segnet_res.errors import CheckpointError, UsageError
from segnet_res.models import build_model, load_vgg16_bn


@pytest.fixture(scope="module")
def vgg():
    torch.manual_seed(1)
    # Without the classifier's 123 million weights, which nobody asks for.
    features = vgg16_bn(weights=None).features.eval()
    for module in features:
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
    return features


@pytest.fixture(scope="module")
def weights(vgg, tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg16_bn.pth"
    torch.save({f"features.{key}": value for key, value in vgg.state_dict().items()}, path)
    return path


def test_the_encoder_gives_what_vgg_gives(vgg, weights):
    model = build_model("segnet-vgg16", num_classes=2).eval()
    load_vgg16_bn(model, str(weights))
    images = torch.rand(1, 3, 32, 32) * 255
    pixels = (images / 255 - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    seen = []
    model.encoder[-1].register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.no_grad():
        model(images)
        expected = vgg[:-1](pixels)  # up to the last ReLU, before the last pooling
    torch.testing.assert_close(seen[0], expected, rtol=1e-3, atol=1e-4)


def test_grey_pictures_get_the_summed_kernels(vgg, weights):
    model = build_model("ressegnet-vgg16", num_classes=2, channels=1)
    load_vgg16_bn(model, str(weights))
    first = model.encoder[0].convs[0][0].weight
    torch.testing.assert_close(first, vgg[0].weight.sum(1, keepdim=True))
    assert model.mean.shape == (1, 1, 1, 1)


def test_no_network_is_one_sentence(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr(VGG16_BN_Weights, "get_state_dict", refuse)
    model = build_model("segnet-vgg16", num_classes=2)
    with pytest.raises(CheckpointError, match=r"cannot be fetched .*give the file: --pretrained"):
        load_vgg16_bn(model, "hub")


def test_a_damaged_download_runs_nothing_and_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / VGG16_BN_Weights.IMAGENET1K_V1.url.split("/")[-1]
    path.parent.mkdir(parents=True)
    model = build_model("segnet-vgg16", num_classes=2)
    for content in (b"cut off", pickle.dumps(Runs(tmp_path / "ran"))):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"below .*hub are damaged; delete them"):
            load_vgg16_bn(model, "hub")
    assert not (tmp_path / "ran").exists()


class Runs:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_other_sizes_are_refused():
    model = build_model("ressegnet-tiny", num_classes=2)
    with pytest.raises(UsageError, match="fits the VGG16 sizes only"):
        load_vgg16_bn(model, "hub")


def test_files_that_are_not_the_weights(tmp_path):
    model = build_model("segnet-vgg16", num_classes=2)
    with pytest.raises(CheckpointError, match="no such file"):
        load_vgg16_bn(model, str(tmp_path / "missing.pth"))
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(CheckpointError, match="not a file of weights"):
        load_vgg16_bn(model, str(tmp_path / "text.pth"))
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "few.pth")
    others = {"features.conv0.weight": torch.zeros(4, 3, 3, 3), 0: torch.zeros(1)}
    torch.save(others, tmp_path / "dense.pth")
    with pytest.raises(CheckpointError, match="0 convolutions found, VGG16-BN has 13"):
        load_vgg16_bn(model, str(tmp_path / "dense.pth"))
    with pytest.raises(CheckpointError, match="1 convolutions found, VGG16-BN has 13"):
        load_vgg16_bn(model, str(tmp_path / "few.pth"))
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="not a state dict"):
        load_vgg16_bn(model, str(tmp_path / "list.pth"))


@pytest.mark.parametrize("content", [b"", b"text\n", b"PK\x03\x04half a zip", b"\x80\x02."])
def test_a_file_that_is_no_state_dict(tmp_path, content):
    """An unpickler that meets text can raise anything, IndexError for one."""
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"weights\.pth: not a file of weights"):
        load_vgg16_bn(build_model("segnet-vgg16", num_classes=2), str(path))
