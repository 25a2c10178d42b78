"""A result is saved and loaded without a loss; without a setting that works it says so."""

import math

import pytest

from tests.steering.tuning.fakes import NATURAL, measures, setting, trial
from tl_experts.errors import ArtefactError, InterventionError
from tl_experts.steering.tuning.result import TuneResult
from tl_experts.steering.tuning.trials import trial_of


def test_a_result_without_a_setting_says_what_to_do(tmp_path):
    stopped = trial_of(setting(), 0, measures(0, math.nan, natural=NATURAL), 1.0)
    result = TuneResult("es", (stopped,), NATURAL, None, None)
    assert str(result) == "1 settings for es, none without repetition"
    with pytest.raises(InterventionError, match="none of 1 settings wrote es"):
        _ = result.steering
    again = TuneResult.load(result.save(tmp_path / "result"))
    assert again.found is again.report is again.best is None
    assert math.isnan(again.trials[0].perplexity)
    assert again.trials[0].stopped
    assert (tmp_path / "result" / "trials.csv").read_text().count("\n") == 2


def test_the_table_marks_the_front():
    result = TuneResult("es", (trial(1, 0.5), trial(0.5, 1), trial(0.5, 0.5)), NATURAL, None, None)
    assert result.to_pandas()["front"].tolist() == [True, True, False]
    assert [one.share for one in result.front] == [0.5, 1]
    assert "3 settings for es; best: 5 by auroc, add 1 x mean, all positions; score 0.67 over 4 texts" in str(result)


def test_something_else_is_not_a_result(tmp_path):
    with pytest.raises(ArtefactError, match="cannot be read"):
        TuneResult.load(tmp_path / "missing")
