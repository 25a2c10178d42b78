"""A result reports test rows, compares trials of the same rows, and is saved and loaded without a loss."""

import json

import numpy as np
import pytest

from tests.study.aligning.fakes import VECTOR, none, result, trial
from tl_experts.errors import ArtefactError
from tl_experts.study import AlignmentResult


@pytest.fixture
def found():
    return result(trial(0.9, stage=0), trial(0.6), trial(0.55, own=VECTOR), gain=0.05)


def test_the_best_is_one_of_those_on_most_rows_and_stands_beside_no_intervention_on_the_same(found):
    assert found.best == trial(0.6)
    assert found.unsteered == none(0.5)
    assert str(found.view) == "layer 3"
    assert found.gain_over_baseline.value == pytest.approx(0.05)
    assert found.gain.value == pytest.approx(0.15)
    assert found.beats_baseline
    assert "no setting is shown" in str(result(trial(0.6), gain=-0.05))


def test_the_table_compares_every_trial_with_no_intervention_on_the_same_rows(found):
    table = found.to_pandas()
    assert table["setting"].tolist()[:2] == ["no intervention"] * 2
    assert table["rows"].tolist() == [2, 4, 2, 4, 4]
    np.testing.assert_allclose(table["gain"], [0, 0, 0.2, 0.1, 0.05])
    assert set(table["raw_layer"]) == {"3"}
    assert set(table["centred_layer"]) == {"last"}


def test_a_saved_result_is_loaded_without_a_loss(found, tmp_path):
    folder = found.save(tmp_path / "found")
    again = AlignmentResult.load(folder)
    assert (again.target, again.seed) == ("es", 3)
    assert again.trials == found.trials
    assert again.baselines == found.baselines
    assert str(again) == str(found)
    np.testing.assert_array_equal(again.steering.slope, found.steering.slope)
    assert set(again.hits) == set(found.hits)
    for name, hits in found.hits.items():
        np.testing.assert_array_equal(again.hits[name], hits)
    assert (folder / "trials.csv").read_text("utf-8").count("\n") == 1 + 2 + 3


@pytest.mark.parametrize(
    "change",
    [
        {"trials": []},
        {"trials": [{"setting": None}]},
        {"baselines": []},
        {"steering": "Other"},
        {"seed": "one"},
    ],
    ids=str,
)
def test_a_header_that_lacks_something_is_an_error(found, tmp_path, change):
    folder = found.save(tmp_path)
    header = folder / "alignment.json"
    header.write_text(json.dumps(json.loads(header.read_text("utf-8")) | change))
    with pytest.raises(ArtefactError, match="not a complete result of tune_alignment"):
        AlignmentResult.load(folder)


def test_something_else_is_not_a_result(tmp_path):
    with pytest.raises(ArtefactError, match="cannot be read"):
        AlignmentResult.load(tmp_path / "missing")
