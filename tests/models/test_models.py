import pytest
import torch

from segnet_res.errors import UsageError
from segnet_res.models import ARCHITECTURES, build_model, max_pool
from segnet_res.models.names import RESIDUALS, SIZES

SMALL = [name for name in ARCHITECTURES if not name.endswith("vgg16")]
PEERS = ["smp:unet-resnet18", "smp:fpn-mobilenet_v2"]


@pytest.mark.parametrize("name", [*SMALL, *PEERS])
def test_every_model_keeps_the_contract(name):
    """Any size, raw pixels of two types, float32 logits, a gradient for every parameter."""
    torch.manual_seed(0)
    model = build_model(name, num_classes=4, channels=3)
    images = torch.randint(0, 256, (2, 3, 33, 70), dtype=torch.uint8)
    logits = model(images)
    assert logits.shape == (2, 4, 33, 70)
    assert logits.dtype == torch.float32
    logits.square().mean().backward()
    idle = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []
    model.eval()
    with torch.no_grad():
        assert torch.equal(model(images), model(images.float()))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (31, 33), (64, 64)])
def test_any_size_and_channels(channels, size):
    model = build_model("ressegnet-tiny", num_classes=2, channels=channels).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, channels, *size)).shape == (1, 2, *size)


@pytest.mark.parametrize("switch", RESIDUALS)
def test_each_residual_connection_has_its_own_switch(switch):
    torch.manual_seed(0)
    others = dict.fromkeys(RESIDUALS, False)
    plain = build_model("ressegnet-tiny", num_classes=2, **others).eval()
    one = build_model("ressegnet-tiny", num_classes=2, **(others | {switch: True})).eval()
    one.load_state_dict(plain.state_dict(), strict=False)
    images = torch.rand(1, 3, 32, 32) * 255
    with torch.no_grad():
        assert not torch.allclose(plain(images), one(images))


def test_all_off_is_plain_segnet():
    plain = build_model("segnet-tiny", num_classes=2)
    off = build_model("ressegnet-tiny", num_classes=2, **dict.fromkeys(RESIDUALS, False))
    assert plain.state_dict().keys() == off.state_dict().keys()
    off.load_state_dict(plain.state_dict())
    images = torch.rand(1, 3, 32, 32) * 255
    with torch.no_grad():
        assert torch.equal(plain.eval()(images), off.eval()(images))


def test_segnet_vgg16_has_the_published_layers():
    """Thirteen convolutions down and thirteen up (Badrinarayanan et al., 2017, figure 2)."""
    with torch.device("meta"):
        model = build_model("segnet-vgg16", num_classes=11)
    convs = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    encoder = [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    # The mirror: each stage ends in the width of the next finer one, the last in the classes.
    decoder = [512, 512, 512, 512, 512, 256, 256, 256, 128, 128, 64, 64, 11]
    assert [conv.out_channels for conv in convs] == encoder + decoder
    assert all(conv.kernel_size == (3, 3) for conv in convs)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(29.5e6, rel=0.01)


def test_pooling_sees_no_padding_artefact_inside_the_model():
    """The padding repeats the border, so a flat picture stays flat up to its last pixel."""
    model = build_model("ressegnet-tiny", num_classes=2).eval()
    seen = []
    model.encoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model(torch.full((1, 3, 33, 33), 99.0))
    assert seen[0].shape[-2:] == (64, 64)
    assert len(seen[0].unique()) == 1
    assert max_pool(seen[0])[0].shape[-2:] == (32, 32)


def test_mean_and_std_are_buffers():
    model = build_model("ressegnet-tiny", num_classes=2, channels=1, mean=[10.0], std=[2.0])
    assert {"mean", "std"} <= model.state_dict().keys()
    seen = []
    model.encoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.eval()(torch.full((1, 1, 32, 32), 14, dtype=torch.uint8))
    assert seen[0].unique().tolist() == [2.0]


def test_sizes_grow():
    counts = []
    for size in SIZES:
        with torch.device("meta"):
            model = build_model(f"ressegnet-{size}", num_classes=6)
        counts.append(sum(p.numel() for p in model.parameters()))
    assert counts == sorted(counts)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet", "no architecture is called 'resnet'; choose one of ressegnet-tiny"),
        ("smp:unet-nothing", "smp:unet-nothing: smp cannot build this model"),
        ("smp:nothing-resnet18", "write smp:<decoder>-<encoder>"),
        # It takes no picture as small as an inspected one may be.
        ("smp:pan-resnet18", "smp:pan-resnet18: smp cannot build this model"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(UsageError, match=message):
        build_model(name, num_classes=2)


def test_it_compiles_to_the_same_graph_as_eager():
    model = build_model("ressegnet-tiny", num_classes=2).eval()
    images = torch.rand(1, 3, 40, 40) * 255
    # Without a code generator: what is tested is that nothing breaks the graph.
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    with torch.no_grad():
        assert torch.equal(compiled(images), model(images))
