import pytest

from segnet_res.errors import UsageError
from segnet_res.recipe import TrainConfig


def test_all_wrong_options_are_named_at_once():
    with pytest.raises(UsageError) as error:
        TrainConfig(epochs=0, crop=100, loss="hinge", seed=-1)
    message = str(error.value)
    assert "epochs is 0, give at least 1" in message
    assert "crop is 100, give a multiple of 32" in message
    assert "seed is -1, give 0 or more" in message
    assert "loss is 'hinge', choose relaxed" in message


def test_round_trip():
    config = TrainConfig(arch="segnet-tiny", lr=1, skip=False)
    assert TrainConfig.from_dict(config.to_dict() | {"unknown": 1}) == config
    with pytest.raises(UsageError, match="the option batch is '8'; give"):
        TrainConfig.from_dict({"batch": "8"})
