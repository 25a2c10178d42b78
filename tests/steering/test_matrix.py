"""A silencing matrix follows from the losses of its sentences: hand-worked cells, intervals, diagonality, files."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tl_experts import SilencingMatrix
from tl_experts.analysis.statistics import bootstrap_means
from tl_experts.errors import ArtefactError, InterventionError


def integers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.fixture
def matrix() -> SilencingMatrix:
    """Two languages silenced, text in three: five sentences of 2, 4, 2, 2 and 5 tokens."""
    before = np.array([2.0, 4.0, 3.0, 3.0, 5.0])
    after = before + np.array([[3.0, 3.0, 0.5, -0.5, 1.0], [0.0, 6.0, 4.0, 0.0, 0.0]])
    control = before + np.array([[[0.6] * 5, [0.0] * 5], [[1.2] * 5, [0.0] * 5]])
    return SilencingMatrix(
        silenced=("de", "ja"),
        languages=("de", "ja", "en"),
        neurons=integers(7, 2),
        language_of=integers(0, 0, 1, 1, 2),
        tokens=integers(2, 4, 2, 2, 5),
        before=before,
        after=after,
        control=control,
        selection="top 7 by auroc at mlp.hook_post",
        corpus="0" * 16,
        fingerprint={"weights": "1"},
        resamples=400,
    )


def test_cells_worked_by_hand(matrix):
    np.testing.assert_allclose(matrix.log_perplexity, [1.0, 1.5, 1.0])
    np.testing.assert_allclose(matrix.change, [[1.0, 0.0, 0.2], [1.0, 1.0, 0.0]])
    np.testing.assert_allclose(matrix.control_change[:, 0], [[0.2, 0.3, 0.12], [0.4, 0.6, 0.24]])
    # d = 1 and 1, o = 0.1 and 0.5: (0.9 / 1.1 + 0.5 / 1.5) / 2 and (0.9 + 0.5) / 2.
    assert matrix.diagonality.value.value == pytest.approx((0.9 / 1.1 + 0.5 / 1.5) / 2)
    assert matrix.diagonality.contrast.value == pytest.approx(0.7)
    assert matrix.diagonality.share == 0.5


def test_the_table_has_a_row_per_cell(matrix):
    table = matrix.to_pandas().set_index(["silenced", "text"])
    cell = table.loc["de", "ja"]
    assert cell[["neurons", "sentences", "tokens", "log_perplexity"]].tolist() == [7, 2, 4, 1.5]
    assert cell["change"] == pytest.approx(0.0)
    assert cell["control"] == pytest.approx(0.45)
    assert cell["control_spread"] == pytest.approx(np.std([0.3, 0.6], ddof=1))
    assert cell["excess"] == pytest.approx(-0.45)
    assert (table["low"] <= table["change"]).all()
    assert (table["change"] <= table["high"]).all()
    assert table.loc["de", "en"]["low"] == pytest.approx(0.2)  # one sentence: nothing to resample


def test_an_interval_resamples_nats_and_tokens_together(matrix):
    means = bootstrap_means(np.array([[3.0, 3.0], [2.0, 4.0]]), seed=0, resamples=400)
    low, high = np.quantile(means[0] / means[1], [0.025, 0.975])
    cell = matrix.to_pandas().iloc[0]
    assert cell[["low", "high"]].tolist() == pytest.approx([low, high])
    assert (low, high) == pytest.approx((0.75, 1.5))
    found = matrix.diagonality.value
    assert found.low < found.value < found.high


def test_a_language_without_neurons_is_left_out_of_the_diagonality(matrix):
    empty = replace(matrix, neurons=integers(7, 0))
    assert empty.diagonality.value.value == pytest.approx(0.9 / 1.1)
    assert empty.diagonality.share == 1
    with pytest.raises(InterventionError, match="none of de, ja has a neuron"):
        _ = replace(matrix, neurons=integers(0, 0)).diagonality


def test_the_control_is_the_mean_over_draws(matrix):
    found = [replace(matrix, after=draw).diagonality for draw in matrix.control]
    control = matrix.control_diagonality
    assert control.value.value == pytest.approx(np.mean([one.value.value for one in found]))
    assert control.contrast.value == pytest.approx(np.mean([one.contrast.value for one in found]))
    assert control.share == np.mean([one.share for one in found])
    assert str(control).startswith(f"diagonality {control.value}, contrast {control.contrast}, own column largest in")


@pytest.mark.parametrize("name", ["folder", "one.safetensors"])
def test_what_is_saved_is_loaded(matrix, tmp_path, name):
    loaded = SilencingMatrix.from_pretrained(matrix.save_pretrained(tmp_path / name))
    assert repr(loaded) == repr(matrix)
    assert (loaded.seed, loaded.resamples, loaded.fingerprint) == (0, 400, {"weights": "1"})
    assert loaded.to_pandas().equals(matrix.to_pandas())


@pytest.mark.parametrize(
    "change",
    [{"silenced": ["fr", "ja"]}, {"languages": ["de", "ja"]}, {"languages": [1, 2, 3]}, {"seed": -1}, {"resamples": 0}],
)
def test_a_changed_header_is_not_loaded(matrix, tmp_path, change):
    matrix.save_pretrained(tmp_path)
    path = tmp_path / "silencing_matrix.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ArtefactError, match="not a complete silencing matrix"):
        SilencingMatrix.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"silenced": ("de", "fr")}, "no text in fr"),
        ({"silenced": ("de", "de")}, "is there twice"),
        ({"neurons": integers(7)}, r"neurons is int64 \(1,\); expected int64 \(2,\)"),
        ({"tokens": integers(2, 4, 2, 2, 0)}, "a sentence has no token"),
        ({"language_of": integers(0, 0, 1, 1, 1)}, "not an index of each of de, ja, en"),
        ({"before": np.array([2.0, 4.0, 3.0, 3.0, np.nan])}, "use float32"),
        ({"control": np.empty((0, 2, 5))}, "0 draws"),
    ],
)
def test_what_does_not_fit_raises(matrix, change, message, unchecked):
    with pytest.raises(InterventionError, match=message):
        replace(matrix, **change)


def test_its_arrays_cannot_be_written(matrix):
    with pytest.raises(ValueError, match="read-only"):
        matrix.after[0, 0] = 1
