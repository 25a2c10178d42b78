"""The cost of a method is the change of the cross-entropy under its setting, computed here by hand."""

import json

import numpy as np
import pytest

from tl_experts import steer
from tl_experts.models.losses import text_losses
from tl_experts.steering.tuning.space import Setting
from tl_experts.study.comparison.bench import CompareBench, read_corpora
from tl_experts.study.comparison.costs import costs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench(compare_config, mini, compared):
    dev, test = read_corpora(compare_config)
    return CompareBench(compare_config, mini, dev, test, compared.folder, progress=False)


def test_the_change_is_that_of_each_sentence_alone(bench, mini):
    setting = Setting("auroc", 20, "set", "mean")
    written = [{"method": "mine", "setting": json.dumps(setting.to_dict())}, {"method": "none", "setting": ""}]
    rows = costs(bench, "es", written)["costs-es"]
    assert [row["method"] for row in rows] == ["mine"] * len(bench.test.languages)
    spanish = next(row for row in rows if row["language"] == "es")
    texts = [text for text, label in zip(bench.test.texts, bench.test.labels, strict=True) if label == "es"]
    before = text_losses(mini, texts, progress=False)
    with steer(mini, bench.builder("es").build(setting)):
        after = text_losses(mini, texts, progress=False)
    assert spanish["change"] == pytest.approx(np.mean((after.nats - before.nats) / before.tokens), abs=1e-6)
    assert spanish["low"] <= spanish["change"] <= spanish["high"]
