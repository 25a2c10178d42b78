"""A reading checks every option and has one form for each meaning."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import torch

from tl_experts import Batching, Reading
from tl_experts.errors import ResponseError, SiteError
from tl_experts.models import SITES


def test_equal_meanings_are_equal_readings():
    assert Reading(dtype=torch.bfloat16) == Reading(dtype="bfloat16") != Reading()
    assert Reading(layers=[2, 0, 2]) == Reading(layers=range(0, 3, 2)) == Reading(layers=np.array([0.0, 2.0]))
    assert Reading(layers=[2, 0]).layers == (0, 2)
    assert hash(Reading(layers=[1])) == hash(Reading(layers=(1,)))
    assert Reading(dtype="float16").torch_dtype == torch.float16


def test_a_changed_copy_is_checked_too():
    assert replace(Reading(), pooling="mean") == Reading(pooling="mean")
    with pytest.raises(ResponseError, match="pooling 'sum'"):
        replace(Reading(), pooling="sum")
    with pytest.raises(FrozenInstanceError):
        Reading().pooling = "mean"


@pytest.mark.parametrize("site", SITES)
def test_every_site_can_be_read(site):
    assert Reading(site=site).site == site


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"site": "mlp.hook_pots"}, SiteError, r"did you mean 'mlp\.hook_post'"),
        ({"pooling": "maximum"}, ResponseError, "pooling 'maximum'"),
        ({"dtype": "int8"}, ResponseError, "response dtype 'int8'"),
        ({"layers": []}, SiteError, r"layers is \[\]; expected whole numbers"),
        ({"layers": 3}, SiteError, "layers is 3; expected whole numbers"),
        ({"layers": [0.5]}, SiteError, r"layers is \[0\.5\]; expected whole numbers"),
        ({"layers": [0, float("nan")]}, SiteError, r"layers is \[0, nan\]; expected whole numbers"),
        ({"layers": "01"}, SiteError, "layers is '01'; expected whole numbers"),
        ({"batching": 2048}, ResponseError, r"batching is 2048; expected Batching\(\.\.\.\)"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_raises_an_error_that_names_it(options, error, message):
    assert Reading(layers=[0], batching=Batching(token_budget=64))
    with pytest.raises(error, match=message):
        Reading(**options)
