"""Shared options: their text becomes values, or a usage error that names the option."""

import pytest
import typer

from tl_experts import RayWorkers
from tl_experts.cli.options import dtype_option, ray_workers, shard_part


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
