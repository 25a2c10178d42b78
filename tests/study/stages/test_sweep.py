"""The sweep measures every count of experts; the Pareto front and the rule that chooses k."""

from dataclasses import replace

import numpy as np
import pytest

from tl_experts.study import run_study
from tl_experts.study.stages.sweep import pareto


def test_the_sweep_measures_every_count_and_marks_the_front(result):
    table = result["sweep"]
    for target in ("en", "ja"):
        mine = table[table["target"] == target]
        assert list(mine["k"]) == [0, 4, 8]
        steered = mine[mine["k"] > 0]
        front = pareto(np.column_stack([-steered["language_id"], steered["perplexity"]]))
        assert list(steered["pareto"]) == front
        assert not mine[mine["k"] == 0]["pareto"].item()
    assert set(result["choice"]["k"]) == {6}


def test_pareto_keeps_equal_points_and_drops_beaten_ones():
    costs = np.array([[1.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 1.0]])
    assert pareto(costs) == [True, True, False, True]


@pytest.mark.slow
def test_without_k_the_rule_chooses_and_says_why(config, tmp_path):
    chosen = run_study(
        replace(config, k=None, targets=("ja",), control_seeds=0, paraphrases=""), tmp_path, progress=False
    )
    (line,) = chosen["choice"].to_dict("records")
    assert line["k"] in (4, 8)
    assert "lowest perplexity" in line["why"]
    assert "paraphrases" not in chosen
