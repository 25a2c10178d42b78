"""Directions of LDA and of a probe are scikit-learn's, and are added to every token as a language vector is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.steering.activations import PADDED, TOKENS, read, same_bits
from tl_experts import Reading, collect_responses, embed, intervention_hooks, steer
from tl_experts.errors import InterventionError, TLExpertsWarning
from tl_experts.steering.affine import AffineMap
from tl_experts.steering.directions import fit_lda, fit_probe, language_direction

RESIDUAL = "hook_resid_post"


@pytest.fixture(scope="module")
def responses(llama, corpus):
    return collect_responses(llama, corpus, reading=Reading(site=RESIDUAL, pooling="mean"), progress=False)


@pytest.fixture(scope="module")
def samples():
    draw = np.random.default_rng(0)
    mixing = draw.normal(size=(6, 6))
    return draw.normal(size=(40, 6)) @ mixing + 0.5, draw.normal(size=(25, 6)) @ mixing


@pytest.mark.parametrize("shrinkage", [0.0, 0.1, 1.0])
def test_lda_is_scikit_learns(samples, shrinkage):
    discriminant = pytest.importorskip("sklearn.discriminant_analysis").LinearDiscriminantAnalysis
    values, labels = np.concatenate(samples), [1] * 40 + [0] * 25
    theirs = discriminant(solver="lsqr", shrinkage=shrinkage).fit(values, labels)
    np.testing.assert_allclose(fit_lda(*samples, shrinkage), theirs.coef_[0], rtol=1e-8)


def test_lda_by_hand():
    # Deviations +-1 along x and +-2 along y: S = diag(1, 4); difference of means (2, 4); S^-1 times it.
    square = np.array([[1.0, 2], [1, -2], [-1, 2], [-1, -2]])
    np.testing.assert_allclose(fit_lda(square + np.array([2, 4]), square, 0.0), [2, 1])
    # Shrunk by a half towards tr(S) / 2 = 2.5: diag(1.75, 3.25).
    np.testing.assert_allclose(fit_lda(square + np.array([2, 4]), square, 0.5), [2 / 1.75, 4 / 3.25])


@pytest.mark.parametrize("penalty", [0.1, 1.0, 50.0])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_a_probe_is_scikit_learns(samples, penalty, scale):
    regression = pytest.importorskip("sklearn.linear_model").LogisticRegression
    scaled = [scale * sample for sample in samples]
    values, labels = np.concatenate(scaled), [1] * 40 + [0] * 25
    theirs = regression(C=1 / penalty, tol=1e-10, solver="newton-cholesky", max_iter=500).fit(values, labels)
    found = fit_probe(*scaled, penalty)
    np.testing.assert_allclose(found, theirs.coef_[0], rtol=1e-4, atol=1e-6 / scale)


@pytest.mark.parametrize("kind", ["lda", "probe"])
@pytest.mark.parametrize("source", ["en", None])
def test_each_layer_is_fitted_by_itself(responses, kind, source):
    labels = np.array(responses.corpus.labels)
    rest = labels == "en" if source else labels != "de"
    found = language_direction(responses, "de", source=source, kind=kind, unit=False, regularisation=0.5)
    fit = fit_lda if kind == "lda" else fit_probe
    for layer in (0, 1):
        values = responses.values[:, responses.neurons.span(layer)].double().numpy()
        wanted = fit(values[labels == "de"], values[rest], 0.5)
        np.testing.assert_allclose(found.intercept[responses.neurons.span(layer)], wanted, rtol=1e-5)
    one = language_direction(responses, "de", source=source, kind=kind, unit=False, regularisation=0.5, layers=[1])
    np.testing.assert_array_equal(one.intercept, found.intercept[32:])


def test_a_unit_direction_has_length_1_at_each_layer(responses):
    raw, unit = (language_direction(responses, "de", unit=unit).intercept.reshape(2, 32) for unit in (False, True))
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(unit * np.linalg.norm(raw, axis=1, keepdims=True), raw, rtol=1e-4, atol=1e-6)


def test_it_separates_the_language_it_was_fitted_on(responses):
    found = language_direction(responses, "de", layers=[1])
    scores = responses.values[:, 32:].numpy() @ found.intercept
    german = np.array(responses.corpus.labels) == "de"
    assert scores[german].min() > scores[~german].max()


@pytest.mark.parametrize("strength", [2.0, -1.5])
def test_it_is_added_times_the_strength_but_not_at_padding(llama, responses, strength):
    direction = replace(language_direction(responses, "de", layers=[0]), strength=strength)
    before = read(llama, PADDED, site=RESIDUAL)[0]
    with steer(llama, direction):
        after = read(llama, PADDED, site=RESIDUAL)[0]
    real = PADDED != 2
    moved = before + strength * torch.tensor(direction.intercept)
    torch.testing.assert_close(after[real], moved[real], rtol=1e-5, atol=1e-5)
    assert same_bits(after[~real], before[~real])
    assert same_bits(read(llama, PADDED, site=RESIDUAL)[0], before)
    with steer(llama, replace(direction, strength=0)):
        assert same_bits(read(llama, PADDED, site=RESIDUAL)[0], before)


def test_it_works_with_embed_and_generate(llama, responses, corpus):
    direction, few = replace(language_direction(responses, "de"), strength=3.0, keep_norm=True), corpus.only(["en"])
    options = {"max_new_tokens": 3, "do_sample": False, "stop_at_eos": False, "verbose": False}
    with torch.inference_mode(), steer(llama, direction):
        inside = embed(llama, few, progress=False).vectors
        cached = llama.generate(TOKENS[:1], **options)
        assert torch.equal(cached, llama.generate(TOKENS[:1], use_past_kv_cache=False, **options))
    by_hooks = embed(llama, few, hooks=intervention_hooks(direction), progress=False).vectors
    torch.testing.assert_close(by_hooks, inside)


def test_it_is_saved_and_told_in_a_line(responses, tmp_path):
    direction = replace(language_direction(responses, "de", kind="probe", source="en", layers=[1]), strength=5.0)
    assert str(direction) == "probe direction from en to de at strength 5, all positions: hook_resid_post of layers 1"
    loaded = AffineMap.from_pretrained(direction.save_pretrained(tmp_path))
    assert str(loaded) == str(direction)
    np.testing.assert_array_equal(loaded.intercept, direction.intercept)


def test_a_probe_that_has_not_converged_warns(samples, monkeypatch):
    monkeypatch.setattr("tl_experts.steering.directions._STEPS", 1)
    with pytest.warns(TLExpertsWarning, match="has not converged"):
        fit_probe(*samples, 1e-6)


def test_what_cannot_be_raises(responses):
    for options, message in (
        ({"kind": "svm"}, "kind 'svm'"),
        ({"layers": [2]}, "choose among 0, 1"),
        ({"layers": []}, "choose among 0, 1"),
        ({"source": "de"}, "give two languages"),
        ({"regularisation": 1.5}, "a shrinkage from 0 to 1"),
        ({"kind": "probe", "regularisation": 0}, "a penalty above 0"),
        ({"kind": "probe", "regularisation": float("inf")}, "a penalty above 0"),
        ({"regularisation": True}, "regularisation is True"),
    ):
        with pytest.raises(InterventionError, match=message):
            language_direction(responses, "de", **options)
    with pytest.raises(InterventionError, match="do not vary"):
        fit_lda(np.ones((2, 3)), np.zeros((2, 3)), 0.1)
