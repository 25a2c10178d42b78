"""The sparse probe has the weights of scikit-learn's fit over all neurons at once."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests.bad_inputs import QUIET
from tests.experts.by_hand import select, sets_of
from tl_experts import find_experts
from tl_experts.errors import SelectionError
from tl_experts.experts import SparseProbe
from tl_experts.experts.probe import probe_weights
from tl_experts.experts.scorings import scored


def reference(values, positive, c):
    model = LogisticRegression(
        C=c, l1_ratio=1, solver="liblinear", class_weight="balanced", tol=1e-8, max_iter=5000, random_state=0
    )
    return model.fit(StandardScaler().fit_transform(values), positive).coef_[0]


@pytest.fixture(scope="module")
def many():
    """90 sentences of three languages x 700 neurons: some tell one, some two, one is constant, two are copies."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((90, 700)).astype(np.float32)
    language = np.arange(90) % 3
    for neuron in range(40):
        values[:, neuron] += (language == neuron % 3) * generator.uniform(0.5, 2)
    values[:, 50] = 7.0
    values[:, 60] = values[:, 3]
    return values, language == np.arange(3)[:, None]


@pytest.mark.parametrize("c", [0.05, 1.0])
def test_weights_are_scikit_learns_over_all_neurons(many, c, monkeypatch):
    # Working sets that grow in many rounds, and responses that are read in many blocks.
    monkeypatch.setattr("tl_experts.experts.probe._ADDED", 10)
    monkeypatch.setattr("tl_experts.experts.probe._BLOCK_BYTES", 8 * 90 * 64)
    values, positive = many
    weights = probe_weights(lambda start, stop: values[:, start:stop], 700, positive, c)
    for own, rows in zip(weights, positive, strict=True):
        expected = reference(values, rows, c)
        expected[[3, 60]] = expected[[3, 60]].sum() / 2  # which of two copies has the weight is arbitrary
        own[[3, 60]] = own[[3, 60]].sum() / 2
        np.testing.assert_allclose(own, expected, atol=2e-3)
        assert 0 < (own != 0).sum() < 90
    assert (weights[:, 50] == 0).all()


def test_so_strong_a_penalty_that_nothing_is_left_gives_no_neuron(many):
    values, positive = many
    assert not probe_weights(lambda start, stop: values[:, start:stop], 700, positive, 1e-6).any()


def test_scores_are_the_positive_weights_and_its_own_rule_selects_them(evidence):
    values = evidence.responses.values.numpy()
    labels = np.array(evidence.responses.corpus.labels)
    scores = scored(SparseProbe(c=0.5), evidence)
    for at, language in enumerate(evidence.expertise.languages):
        expected = reference(values, labels == language, 0.5)
        np.testing.assert_allclose(np.maximum(scores[:, at], 0), np.maximum(expected, 0), atol=2e-3)
    experts = select(evidence, scoring=SparseProbe(c=0.5))
    assert list(experts.counts.values()) == (scores > 0).sum(axis=0).tolist()
    assert min(experts.counts.values()) > 0
    assert max(experts.counts.values()) < 24
    assert "own rule" in experts.selection
    first = select(evidence, scoring=SparseProbe(c=0.5), k=1)
    assert all(one <= other for one, other in zip(sets_of(first), sets_of(experts), strict=True))
    with pytest.raises(SelectionError, match="k is 90, but there are"):
        select(evidence, scoring=SparseProbe(c=0.5), k=90)


def test_the_probe_reads_responses_on_disk(model_of, corpus, tmp_path):
    one = find_experts(model_of("llama"), corpus, scoring="probe", **QUIET)
    other = find_experts(model_of("llama"), corpus, scoring="probe", folder=tmp_path, **QUIET)
    assert sets_of(one) == sets_of(other)


def test_without_scikit_learn_an_error_names_the_extra_before_the_model_runs(model_of, corpus, evidence, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    monkeypatch.setattr("tl_experts.experts.find.neuron_table", lambda *_: pytest.fail("the model is looked at"))
    with pytest.raises(SelectionError, match=r"needs scikit-learn; pip install 'tl-experts\[probe\]'"):
        find_experts(model_of("llama"), corpus, scoring="probe", **QUIET)
    with pytest.raises(SelectionError, match="needs scikit-learn"):
        select(evidence, scoring="probe")


def test_a_fit_that_does_not_converge_raises_an_error(many, monkeypatch):
    monkeypatch.setattr("tl_experts.experts.probe._ITERATIONS", 1)
    values, positive = many
    with pytest.raises(SelectionError, match=r"does not converge at c = 1\.0"):
        probe_weights(lambda start, stop: values[:, start:stop], 700, positive, 1.0)


@pytest.mark.parametrize("c", [0, -1.0, np.nan, np.inf, "1", None, True])
def test_c_is_a_positive_number(c):
    with pytest.raises(SelectionError, match=f"c is {c!r}; expected a number above 0"):
        SparseProbe(c=c)
    assert SparseProbe(c=np.float32(0.5)).c == 0.5
