"""The silencing matrix measured: each row is the model with one language at zero, and everything is restored."""

from dataclasses import replace

import numpy as np
import pytest

from tests.steering.activations import read, same_bits
from tl_experts import silencing_matrix, steer
from tl_experts.errors import ArtefactError, InterventionError
from tl_experts.models.losses import text_losses

QUIET = {"progress": False}


@pytest.fixture(scope="module")
def matrix(llama, experts, corpus):
    return silencing_matrix(llama, experts.only(["de", "ja"]), corpus, control_seeds=2, resamples=50, seed=5, **QUIET)


def losses(model, corpus, experts=None):
    if experts is None:
        return text_losses(model, corpus.texts, **QUIET).nats
    with steer(model, experts, operation="zero"):
        return text_losses(model, corpus.texts, **QUIET).nats


def test_rows_are_losses_with_the_neurons_at_zero(llama, experts, corpus, matrix):
    assert matrix.languages == ("de", "ja", "en", "ru")
    np.testing.assert_array_equal(matrix.before, losses(llama, corpus))
    for row, language in enumerate(matrix.silenced):
        mine = experts[language]
        np.testing.assert_array_equal(matrix.after[row], losses(llama, corpus, mine))
        for draw, seed in enumerate((5, 6)):
            control = mine.random_control(seed=seed, match_layers=True)
            np.testing.assert_array_equal(matrix.control[draw, row], losses(llama, corpus, control))
    assert np.abs(matrix.change).max() > 1e-3


def test_a_cell_is_the_change_of_the_mean_loss_per_token(llama, experts, corpus, matrix):
    russian = np.array(corpus.labels) == "ru"
    tokens = text_losses(llama, corpus.texts, **QUIET).tokens[russian].sum()
    change = losses(llama, corpus, experts["ja"])[russian].sum() - losses(llama, corpus)[russian].sum()
    assert matrix.change[1, 3] == pytest.approx(change / tokens)


def test_the_model_is_left_as_it_was(llama, experts, corpus):
    before = read(llama)
    silencing_matrix(llama, experts.only(["de"]), corpus, control_seeds=1, resamples=10, **QUIET)
    assert same_bits(read(llama), before)


def test_a_language_without_experts_keeps_its_row(llama, experts, corpus):
    german = experts.only(["de"])
    empty = replace(german, languages=("ja", "de"), language_of=np.ones(12, dtype=np.int64))
    found = silencing_matrix(llama, empty, corpus, control_seeds=1, resamples=10, **QUIET)
    assert found.neurons.tolist() == [0, 12]
    assert not found.change[0].any()
    assert not found.control_change[0, 0].any()
    assert found.change[1].any()


def test_it_works_in_16_bits(bfloat_llama, experts, corpus):
    found = silencing_matrix(
        bfloat_llama, experts.only(["de"]), corpus, control_seeds=1, resamples=10, check=False, **QUIET
    )
    assert np.isfinite(found.change).all()
    assert found.change.any()


def test_the_bar_counts_passes(llama, experts, corpus, capsys):
    silencing_matrix(llama, experts.only(["de"]), corpus.head(1), control_seeds=2, resamples=10)
    assert "silencing: 100%" in (shown := capsys.readouterr().err)
    assert "4/4" in shown


def test_what_cannot_be_silenced_raises_before_any_pass(llama, experts, corpus, model_of, monkeypatch):
    with pytest.raises(ArtefactError, match="these experts"):
        silencing_matrix(model_of("qwen3"), experts, corpus, **QUIET)
    monkeypatch.setattr("tl_experts.steering.silencing.text_losses", None)
    with pytest.raises(InterventionError, match=r"no text in ru, ja.*experts.only\(\['en', 'de'\]\)"):
        silencing_matrix(llama, experts, corpus.only(["en", "de"]), **QUIET)
    with pytest.raises(InterventionError, match="texts are in de only"):
        silencing_matrix(llama, experts.only(["de"]), corpus.only(["de"]), **QUIET)
    for name, least in (("control_seeds", 1), ("seed", 0), ("resamples", 1)):
        with pytest.raises(InterventionError, match=f"{name} is {least - 1}; expected {least} or more"):
            silencing_matrix(llama, experts, corpus, **{name: least - 1}, **QUIET)
