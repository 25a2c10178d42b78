"""Every method and baseline writes as many texts; numbers agree with the texts they are from."""

import json

import pytest

from tl_experts.steering.tuning.space import Setting
from tl_experts.study.comparison.writing import BASELINES, RANDOM

pytestmark = pytest.mark.slow


def test_baselines_methods_and_control_have_a_row(compared, compare_config):
    table = compared["writing"]
    assert list(table["method"][:3]) == list(BASELINES)
    assert set(table["method"]) - {RANDOM} >= {"auroc, set mean", "language vector"}
    tuned = table[table["setting"] != ""]
    for told in tuned["setting"]:
        assert isinstance(Setting.from_dict(json.loads(told)), Setting)
    assert table["share"].between(0, 1).all()
    chooses_neurons = tuned["scoring"].isin(compare_config.scorings).any()
    assert (RANDOM in set(table["method"])) == chooses_neurons


def test_the_share_of_a_method_counts_its_texts(compared, compare_config):
    texts = compared["texts"]
    for row in compared["writing"].dropna(subset=["texts"]).itertuples():
        own = texts[(texts["target"] == row.target) & (texts["method"] == row.method)]
        assert len(own) == row.texts == 20 * compare_config.texts
        # A text in another language is useless, whatever its quality.
        assert (own["useful"] > 0).mean() <= row.share + 1e-12
    assert texts["useful"].between(0, 1).all()
