import pytest
import torch

from segnet_res.models import build_model
from segnet_res.recipe import TrainConfig
from segnet_res.training.optim import (
    build_average,
    build_optimizer,
    fast_in_bfloat16,
    learning_rate,
    refresh_norms,
    update_average,
)


def test_poly_schedule_by_hand():
    config = TrainConfig(lr=2.0, warmup=0.2, schedule="poly")
    rates = [learning_rate(config, step, 10) for step in range(10)]
    assert rates[:2] == [1.0, 2.0]
    assert rates[2] == 2.0
    assert rates[6] == pytest.approx(2 * 0.5**0.9)
    assert rates == sorted(rates[:2]) + sorted(rates[2:], reverse=True)


def test_weight_decay_spares_norms_and_biases():
    model = build_model("ressegnet-tiny", num_classes=2)
    optimizer = build_optimizer(model, TrainConfig(weight_decay=0.3))
    kernels, others = optimizer.param_groups
    assert kernels["weight_decay"] == 0.3
    assert others["weight_decay"] == 0
    assert all(p.ndim == 4 for p in kernels["params"])
    assert len(kernels["params"]) + len(others["params"]) == len(list(model.parameters()))


def test_moving_average_by_hand():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 0.0)
    average = build_average(model, 0.9)
    update_average(average, model, 0.9, 0)  # the first step copies
    torch.nn.init.constant_(model.weight, 1.0)
    update_average(average, model, 0.9, 1000)
    assert average.module.weight.item() == pytest.approx(0.1)
    update_average(average, model, 0.9, 1)  # early: decay 2/11
    assert average.module.weight.item() == pytest.approx(0.1 * 2 / 11 + 9 / 11)


def test_norms_of_the_averaged_weights_are_measured():
    """After refreshing, the average normalises its own activations: mean 0, deviation 1."""
    torch.manual_seed(0)
    model = build_model("ressegnet-tiny", num_classes=2)
    average = build_average(model, 0.5)
    update_average(average, model, 0.5, 1000)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    update_average(average, model, 0.5, 1000)  # halfway between two sets of weights
    pictures = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    refresh_norms(average, [pictures], torch.device("cpu"))

    norm = average.module.encoder[0].convs[0][1]
    seen = []
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    average.module.eval()(pictures)
    torch.testing.assert_close(norm.running_mean, seen[0].mean((0, 2, 3)), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(norm.running_var, seen[0].var((0, 2, 3)), rtol=1e-3, atol=1e-3)


def test_bfloat16_needs_the_instructions(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    assert not fast_in_bfloat16(torch.device("cpu"))
