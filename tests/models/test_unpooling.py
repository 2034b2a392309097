import pytest
import torch
import torch.nn.functional as F

from segnet_res.models import (
    build_model,
    marked_pool,
    marked_unpool,
    max_pool,
    max_unpool,
    portable,
)

SIZES = [(2, 2), (8, 8), (7, 9), (3, 2), (32, 31)]
ORDERS = [torch.contiguous_format, torch.channels_last]


def features_with_ties(size, order=torch.contiguous_format):
    torch.manual_seed(0)
    # Few values, so that most windows hold ties.
    return torch.randint(-1, 2, (2, 3, *size)).float().contiguous(memory_format=order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", SIZES)
def test_unpooling_equals_torch_forward_and_backward(size, order):
    results = []
    for unpool in (
        lambda p, i: max_unpool(p, i, size),
        lambda p, i: F.max_unpool2d(p, i, 2, stride=2, output_size=size),
    ):
        features = features_with_ties(size, order).requires_grad_()
        pooled, indices = max_pool(features)
        restored = unpool(pooled * 2, indices)
        (restored * torch.arange(restored.numel()).view(restored.shape)).sum().backward()
        results.append((restored.detach(), features.grad))
    (ours, our_grad), (torchs, torch_grad) = results
    assert torch.equal(ours, torchs)
    assert torch.equal(our_grad, torch_grad)


@pytest.mark.parametrize("order", ORDERS)
def test_unpooling_keeps_the_order_of_memory(order):
    # Or each layer after it would have to bring the features back into its own.
    pooled, indices = max_pool(features_with_ties((7, 9), order))
    assert max_unpool(pooled, indices, (7, 9)).is_contiguous(memory_format=order)


@pytest.mark.parametrize("size", SIZES)
def test_pooling_equals_torch(size):
    features = features_with_ties(size)
    pooled, indices = max_pool(features)
    expected, places = F.max_pool2d(features, 2, stride=2, return_indices=True)
    assert torch.equal(pooled, expected)
    assert torch.equal(indices, places)


def test_values_go_back_to_their_place():
    features = torch.tensor([[[[1.0, 2.0, 0.0], [4.0, 3.0, 9.0], [9.0, 9.0, 9.0]]]])
    pooled, indices = max_pool(features)
    assert pooled.tolist() == [[[[4.0]]]]
    restored = max_unpool(pooled, indices, (3, 3))
    assert restored.tolist() == [[[[0, 0, 0], [4, 0, 0], [0, 0, 0]]]]


def test_it_works_in_deterministic_mode():
    torch.use_deterministic_algorithms(True)
    try:
        pooled, indices = max_pool(features_with_ties((6, 6)))
        max_unpool(pooled, indices, (6, 6))
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", SIZES)
def test_cuda_equals_the_cpu(size, order):
    features = features_with_ties(size, order)
    pooled, indices = max_pool(features.cuda())
    expected, places = max_pool(features)
    restored = max_unpool(pooled, indices, size).cpu()
    assert torch.equal(restored, max_unpool(expected, places, size))


@pytest.mark.parametrize("size", [(2, 2), (8, 6), (32, 64)])
def test_marks_equal_indices(size):
    features = features_with_ties(size)
    pooled, indices = max_pool(features)
    again, marks = marked_pool(features)
    assert torch.equal(again, pooled)
    values = torch.randn_like(pooled)
    assert torch.equal(marked_unpool(values, marks, size), max_unpool(values, indices, size))


def test_the_first_of_equal_maxima_has_the_highest_mark():
    features = torch.tensor([[[[1.0, 5.0, 3.0, 3.0], [5.0, 0.0, 3.0, 3.0]]]])
    pooled, marks = marked_pool(features)
    assert pooled.tolist() == [[[[5, 3]]]]
    assert marks.tolist() == [[[[0, 3, 4, 3], [2, 0, 2, 1]]]]
    restored = marked_unpool(torch.tensor([[[[7.0, -8.0]]]]), marks, (2, 4))
    assert restored.tolist() == [[[[0, 7, -8, 0], [0, 0, 0, 0]]]]


@pytest.mark.parametrize("architecture", ["ressegnet-tiny", "segnet-tiny"])
def test_a_portable_model_gives_the_same_logits(architecture):
    torch.manual_seed(0)
    model = build_model(architecture, num_classes=3).eval()
    # Flat areas and noise: windows of ties and without.
    images = torch.randint(0, 256, (2, 3, 45, 70))
    images[:, :, :20] = 90
    with torch.inference_mode():
        expected = model(images)
        with portable(model):
            assert model.portable
            found = model(images)
    assert not model.portable
    assert torch.equal(found, expected)


def test_portable_ends_with_the_block_and_ignores_other_models():
    model = build_model("ressegnet-tiny", num_classes=2)
    inside = []

    def fail():
        with portable(torch.nn.Sequential(model, torch.nn.ReLU())):
            inside.append(model.portable)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert inside == [True]
    assert not model.portable
