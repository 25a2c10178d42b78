"""The conclusion names the winner of each purpose and says how sure that is."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tl_experts.study.comparison.conclusion import best_writer, conclusion, useful

pytestmark = pytest.mark.slow


def test_the_first_sentences_name_what_wins(compared):
    writing, retrieval, costs = conclusion(compared)
    assert writing.startswith(f"For writing, {best_writer(compared)} is best of ")
    assert re.search(r"top-1 over all pairs \d+\.\d% against \d+\.\d%", retrieval)
    assert "nats per token" in costs


def test_the_winner_is_chosen_by_the_search_not_by_the_report(compared):
    table = compared["writing"].copy()
    table.loc[table["method"] == "language vector", "dev_score"] = 1.0
    table.loc[table["method"] == "auroc, set mean", "score"] = 1.0
    assert best_writer(replace(compared, tables=compared.tables | {"writing": table})) == "language vector"


def test_a_method_without_texts_is_worth_nothing(compared):
    assert np.array_equal(useful(compared, "a method that wrote nothing"), np.zeros(20))


def test_too_few_resamples_are_said_aloud(compared):
    few = replace(compared, config=replace(compared.config, resamples=20))
    assert "no corrected p can be below" in conclusion(few)[1]
