"""The sweep measures every count of experts; the Pareto front and the rule leave out counts that only repeat."""

from dataclasses import replace

import numpy as np
import pytest

from tests.study.tables import row
from tl_experts.errors import StudyError
from tl_experts.steering import distinct_bigrams, generate_texts, steer, text_perplexities
from tl_experts.study import run_study
from tl_experts.study.stages.sweep import _choose, pareto


def test_the_sweep_measures_every_count_and_marks_the_front(result):
    table = result["sweep"]
    for target in ("en", "ja"):
        mine = table[table["target"] == target]
        assert list(mine["k"]) == [0, 4, 8]
        varied = mine[(mine["k"] > 0) & ~mine["repeats"]]
        assert list(varied["pareto"]) == pareto(np.column_stack([-varied["language_id"], varied["perplexity"]]))
        assert not mine[(mine["k"] == 0) | mine["repeats"]]["pareto"].any()
        natural = row(result["choice"], target=target)
        bars = 0.9 * natural["natural_distinct"], 0.9 * natural["natural_compression"]
        assert list(mine["repeats"]) == list((mine["distinct"] < bars[0]) | (mine["compression"] < bars[1]))
    assert set(result["choice"]["k"]) == {6}


def test_fluency_and_repetition_are_those_of_the_steered_texts_for_the_model_without_steering(
    result, config, model, experts
):
    texts = []
    for seed in range(config.text_seeds):
        with steer(model, experts["ja"].head(4)):
            texts += generate_texts(
                model, config.texts, seed=seed, max_new_tokens=config.text_tokens, batch_size=256, progress=False
            )
    found = row(result["sweep"], target="ja", k=4)
    assert found["fluency"] == pytest.approx(np.nanmedian(text_perplexities(model, texts, progress=False)), rel=1e-4)
    assert found["distinct"] == pytest.approx(np.nanmean([distinct_bigrams(text) for text in texts]))


def counts(repeating):
    """Three counts: the largest has the best language id and perplexity."""
    rows = [
        {"k": k, "language_id": share, "perplexity": perplexity, "repeats": False}
        for k, share, perplexity in ((0, 0.1, 5.0), (1, 0.5, 9.0), (5, 0.8, 8.0), (50, 1.0, 3.0))
    ]
    return [one | {"repeats": one["k"] in repeating} for one in rows]


@pytest.mark.parametrize(("repeating", "k"), [([], 50), ([50], 5), ([5, 50], 1), ([0, 1, 50], 5)])
def test_the_rule_does_not_choose_a_count_whose_texts_only_repeat(repeating, k):
    chosen = _choose("ja", counts(repeating=repeating), None)
    assert chosen["k"] == k
    assert "do not repeat" in chosen["why"]


def test_the_rule_raises_an_error_where_every_count_repeats():
    with pytest.raises(StudyError, match=r"target 'ja' repeat .* \(1, 5, 50\), .* smaller counts"):
        _choose("ja", counts(repeating=[1, 5, 50]), None)
    assert _choose("ja", counts(repeating=[1, 5, 50]), 5)["k"] == 5


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
