"""What the tables of a comparison prove: who is chosen, and intervals that resample what is independent."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tl_experts.analysis.statistics import mean_interval
from tl_experts.study.comparison.evidence import best_writer, gain_of_texts, useful

pytestmark = pytest.mark.slow


def test_the_winner_is_chosen_by_the_search_not_by_the_report(compared):
    table = compared["writing"].copy()
    table.loc[table["method"] == "language vector", "dev_score"] = 1.0
    table.loc[table["method"] == "auroc, set mean", "score"] = 1.0
    assert best_writer(replace(compared, tables=compared.tables | {"writing": table})) == "language vector"


def test_a_method_without_texts_is_worth_nothing(compared):
    assert np.array_equal(useful(compared, "a method that wrote nothing"), np.zeros((1, 20)))


def texts_of(compared, values, copies):
    """The comparison with two methods: one worth nothing, one of these values by prompt, each in so many texts."""
    rows = [
        {"target": "es", "method": method, "row": row, "useful": value * worth}
        for method, worth in (("nothing", 0), ("something", 1))
        for row, value in enumerate(values)
        for _ in range(copies)
    ]
    return replace(compared, tables={"texts": pd.DataFrame(rows)})


def test_texts_of_one_prompt_are_not_independent(compared):
    values = np.random.default_rng(0).uniform(-0.5, 1, size=20)
    once, often = (texts_of(compared, values, copies) for copies in (1, 4))
    gains = [gain_of_texts(one, useful(one, "nothing"), useful(one, "something")) for one in (once, often)]
    # Copies of a text say nothing new, so the interval stays; as independent texts they would halve it.
    assert (gains[0].low, gains[0].high) == pytest.approx((gains[1].low, gains[1].high))
    texts = often["texts"].query("method == 'something'")["useful"].to_numpy()
    independent = mean_interval(texts, seed=0, resamples=500)
    assert (gains[1].high - gains[1].low) > 1.6 * (independent.high - independent.low)


def test_a_prompt_is_resampled_with_all_its_targets(compared):
    values = np.random.default_rng(0).uniform(-0.5, 1, size=(1, 20))
    alone = gain_of_texts(compared, np.zeros((1, 20)), values)
    together = gain_of_texts(compared, np.zeros((3, 20)), np.repeat(values, 3, axis=0))
    assert (together.low, together.high) == pytest.approx((alone.low, alone.high))
