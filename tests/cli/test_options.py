"""Shared options: their text becomes values, or a usage error that names the option."""

import pytest
import typer

from tl_experts import RayWorkers
from tl_experts.cli.options import (
    complete_language,
    complete_model,
    dtype_option,
    known_model,
    layer_numbers,
    ray_workers,
    require_k,
    shard_part,
)
from tl_experts.errors import ModelError, SelectionError


def test_ray_workers_are_none_without_an_executor_and_a_value_with_one():
    assert ray_workers(None, "auto", 3, 1) is None
    assert ray_workers("ray", "auto", 3, 1) == RayWorkers(address="auto", count=3, gpus=1)


@pytest.mark.parametrize(("shard", "part"), [(None, None), ("1/4", (1, 4)), ("4/4", (4, 4))])
def test_a_shard_is_a_part(shard, part):
    assert shard_part(shard) == part


def test_shard_auto_is_the_rank_that_the_launcher_sets(monkeypatch):
    for name, value in {"RANK": "2", "WORLD_SIZE": "5", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    assert shard_part("auto") == (3, 5)


def test_a_dtype_is_checked_by_name():
    assert dtype_option("bfloat16", "--response-dtype") == "bfloat16"


@pytest.mark.parametrize(
    ("call", "option", "value"),
    [
        (lambda: ray_workers("spark", None, None, 0), "--executor", "'spark'"),
        (lambda: shard_part("half"), "--shard", "'half'"),
        (lambda: shard_part("1/2/3"), "--shard", "'1/2/3'"),
        (lambda: dtype_option("int8", "--response-dtype"), "--response-dtype", "'int8'"),
    ],
)
def test_a_wrong_value_is_a_usage_error_that_names_option_and_value(call, option, value):
    with pytest.raises(typer.BadParameter) as refused:
        call()
    assert refused.value.param_hint == option
    assert value in str(refused.value)


def test_layers_are_numbers_and_ranges():
    assert layer_numbers(None) is None
    assert layer_numbers("0-3,7") == [0, 1, 2, 3, 7]
    for wrong in ("a", "1-", "3-1", ""):
        with pytest.raises(typer.BadParameter, match="such as 0-3,7"):
            layer_numbers(wrong)


def test_more_experts_than_neurons_are_refused_where_the_configuration_is_here(checkpoint):
    require_k("polyglot-mini", 7168)
    require_k("someone/model-on-a-hub", 10**9)
    require_k("polyglot-mini", None)
    for name, most in (("polyglot-mini", 7168), (str(checkpoint("llama")), 96)):
        with pytest.raises(SelectionError, match=f"there are {most} neurons"):
            require_k(name, most + 1)


def test_a_model_that_cannot_load_is_refused_by_its_name(checkpoint):
    assert known_model(None) is None
    for name in ("polyglot-mini", str(checkpoint("llama")), "someone/model-on-a-hub"):
        assert known_model(name) == name
    with pytest.raises(ModelError, match="did you mean 'polyglot-mini'"):
        known_model("polyglot-mni")


def test_values_are_completed():
    assert complete_model("gem") == ["gemma-3-270m"]
    assert complete_language("z") == ["zh"]
