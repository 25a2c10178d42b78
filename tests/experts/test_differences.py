"""Cohen's d of sentences and of tokens, against its formula."""

import numpy as np
import pytest

from tl_experts.errors import SelectionError
from tl_experts.experts.differences import cohens_d
from tl_experts.experts.scorings import SCORINGS, scored


def test_mean_difference_is_cohens_d_of_each_neuron(evidence):
    values = evidence.responses.values.double().numpy()
    labels = np.array(evidence.responses.corpus.labels)
    scores = scored(SCORINGS["mean_difference"], evidence)
    for at, language in enumerate(evidence.expertise.languages):
        one, other = values[labels == language], values[labels != language]
        pooled = (len(one) - 1) * one.var(axis=0, ddof=1) + (len(other) - 1) * other.var(axis=0, ddof=1)
        expected = (one.mean(axis=0) - other.mean(axis=0)) / np.sqrt(pooled / (len(values) - 2))
        np.testing.assert_allclose(scores[:, at], expected, rtol=1e-9)


def test_mean_difference_does_not_depend_on_how_many_neurons_are_read_at_once(evidence, monkeypatch):
    whole = scored(SCORINGS["mean_difference"], evidence)
    monkeypatch.setattr("tl_experts.experts.differences._BLOCK_BYTES", 8 * 24 * 7)
    np.testing.assert_allclose(scored(SCORINGS["mean_difference"], evidence), whole, rtol=1e-12)


def test_token_mean_difference_is_cohens_d_over_tokens(evidence):
    tokens = evidence.tokens
    scores = scored(SCORINGS["token_mean_difference"], evidence)
    squares = tokens.std[1] ** 2 * tokens.tokens[1] + tokens.other_std[1] ** 2 * tokens.other_tokens[1]
    expected = (tokens.mean[1] - tokens.other_mean[1]) / np.sqrt(squares / (tokens.tokens.sum() - 2))
    np.testing.assert_allclose(scores[:, 1], expected, rtol=1e-9)


def test_cohens_d_without_spread_is_zero_or_very_large_and_needs_three_values():
    one = np.array([[1.0, 1.0, 0.0]]), np.zeros((1, 3)), np.array([2])
    other = np.array([[1.0, 0.0, 1.0]]), np.zeros((1, 3)), np.array([1])
    largest = float(np.finfo(np.float32).max)
    assert cohens_d(one, other).tolist() == [[0.0, largest, -largest]]
    with pytest.raises(SelectionError, match="needs three"):
        cohens_d((*one[:2], np.array([1])), other)
