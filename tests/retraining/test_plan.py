from types import SimpleNamespace

import pytest

from segnet_res.errors import TrainingError, UsageError
from segnet_res.recipe import TrainConfig
from segnet_res.retraining import plan as module
from segnet_res.retraining.plan import Plan, Speed, choose_options, fit_budget, measure_speed
from segnet_res.training import Step, Validation
from segnet_res.training.optim import NORM_BATCHES

PARENT = TrainConfig(crop=256, batch=6, lr=1.6e-3, relax=0.4, arch="ressegnet-base").to_dict()


def choose(given=None, *, pictures=20, same=True, new=False, recipe=PARENT):
    options = {"device": "cpu"} | (given or {})
    return choose_options(recipe, options, pictures=pictures, same_classes=same, new_classes=new)


def test_options_follow_from_parent_and_data():
    config = choose()
    assert (config.crop, config.batch, config.relax) == (256, 6, 0.4)
    assert config.arch is None  # it is the checkpoint's
    assert config.lr == pytest.approx(1e-4)
    assert (config.epochs, config.steps) == (8, 100)  # 40 steps for each of 20 pictures
    assert choose(pictures=1).steps == 50  # at least 400 on a CPU
    assert choose(pictures=1000).steps == 200  # at most 1600


def test_what_is_given_counts():
    config = choose({"lr": 1e-5, "epochs": 2, "crop": 64})
    assert (config.lr, config.epochs, config.crop) == (1e-5, 2, 64)
    assert config.steps == 400


def test_the_rate_does_not_fall_with_every_retraining():
    assert choose(recipe=PARENT | {"retrained": {"added": []}}).lr == pytest.approx(1.6e-3)
    # With new classes it was that of a first training.
    assert choose(recipe=PARENT | {"retrained": {"added": ["dent"]}}).lr == pytest.approx(1e-4)


def test_new_classes_get_the_rate_of_a_first_training_and_more_steps():
    config = choose(new=True, pictures=12)
    assert config.lr == pytest.approx(1.6e-3)
    assert (config.epochs, config.steps) == (8, 150)
    # A retrained parent does not tell how fast its own first training was.
    assert choose(new=True, recipe=PARENT | {"retrained": {}, "lr": 1e-4}).lr == TrainConfig().lr
    assert choose({"lr": 1e-5}, new=True).lr == 1e-5


def test_new_classes_get_a_balance_that_finds_them_and_something_to_be_measured_on():
    last_stage = PARENT | {"loss": "adjusted", "adjust": 0.1, "final": True}
    kept, added = choose(recipe=last_stage), choose(new=True, recipe=last_stage)
    assert (kept.loss, kept.adjust, kept.final) == ("adjusted", 0.1, False)
    assert (added.loss, added.relax, added.final) == ("relaxed", TrainConfig().relax, False)
    assert choose({"loss": "adjusted"}, new=True, recipe=last_stage).loss == "adjusted"


def test_a_recipe_of_elsewhere_and_a_balance_for_two_classes():
    assert choose(recipe={"crop": "large"}).crop == TrainConfig().crop
    two = PARENT | {"loss": "balanced", "beta": "0.9"}
    assert choose(recipe=two).beta == "0.9"
    assert choose(recipe=two, same=False).beta == "shares"


def test_time_is_reckoned_from_what_was_measured():
    speed = Speed(step=0.5, epoch=2.0, picture=0.1)
    config = TrainConfig(epochs=4, steps=100)
    # Four times 100 steps of half a second, 2 s, and 30 pictures of a tenth.
    assert Plan(config, 0.5, speed, validation=30).seconds == pytest.approx(4 * (50 + 2 + 3))
    assert Plan(config, 0.5, None, validation=30).seconds is None


def test_the_end_of_an_epoch_is_reckoned_with_all_its_batches(tmp_path, monkeypatch):
    now = 0.0

    def events(config, *_, **__):
        nonlocal now
        for step in range(config.steps):
            now += 1.0
            yield Step(1, step + 1, config.steps, 0.5, 2)
        now += 0.2 * min(config.steps, NORM_BATCHES)
        for done in range(6):
            now += 0.1
            yield Validation(1, done + 1, 6)

    monkeypatch.setattr(module, "train_events", events)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now))
    speed = measure_speed(TrainConfig(), tmp_path, tmp_path / "start.safetensors", None)
    assert speed.step == pytest.approx(1.0)
    assert speed.epoch == pytest.approx(0.2 * NORM_BATCHES)
    assert speed.picture == pytest.approx(0.1)


def test_a_budget_sets_the_number_of_steps():
    speed = Speed(step=0.5, epoch=2.0, picture=0.1)
    config = TrainConfig(epochs=8, steps=100)
    # 540 s of ten minutes: 67.5 s an epoch, 5 s of them at its end.
    fitted = fit_budget(config, {}, speed, 30, minutes=10)
    assert (fitted.epochs, fitted.steps) == (8, 125)
    # A quarter of 54 s suffices for two ends.
    fitted = fit_budget(config, {}, speed, 30, minutes=1)
    assert (fitted.epochs, fitted.steps) == (2, 44)
    with pytest.raises(UsageError, match=r"is 0\.05; with 1 validation it takes at least 0\.2 "):
        fit_budget(config, {}, speed, 30, minutes=0.05)


def test_a_plan_comes_back_from_its_file():
    plan = Plan(TrainConfig(epochs=3), 0.25, Speed(1.0, 2.0, 3.0), 7)
    assert Plan.from_dict(plan.to_dict()) == plan
    with pytest.raises(TrainingError, match="the plan of the retraining is damaged"):
        Plan.from_dict({"config": {}})
