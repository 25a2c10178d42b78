"""Distances by hand, and the picture of both conditions."""

from dataclasses import replace

import numba
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.metrics.pairwise import cosine_distances

from tests.study.tables import row
from tl_experts.study.stages.space import _picture


@pytest.mark.parametrize("target", ["en", "ja"])
def test_table_1_by_hand(result, spaces, target):
    for condition, space in (("pre", spaces[""]), ("post", spaces[target])):
        between = {(a, b): cosine_distances(space[a], space[b]).mean() for a in space for b in space if a != b}
        found = row(result["distances"], target=target, condition=condition)
        assert found["all_pairs"] == pytest.approx(np.mean(list(between.values())), abs=1e-5)
        expected = np.mean([value for (a, b), value in between.items() if b == target])
        assert found["nontarget_to_target"] == pytest.approx(expected, abs=1e-5)


def test_table_1_is_mean_and_standard_error_over_targets(result):
    each = result["distances"]
    values = each[each["condition"] == "post"]["all_pairs"]
    found = row(result["table1"], measure="all_pairs")
    assert found["post"] == pytest.approx(values.mean())
    assert found["post_se"] == pytest.approx(stats.sem(values))
    assert found["pre_se"] == 0  # the space before is one and the same for all targets


@pytest.mark.slow
def test_umap_draws_pre_and_post_together(config, monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)  # 80 points in Python, not 30 seconds of compilation
    pytest.importorskip("umap")
    stream = np.random.default_rng(0)
    pre = {language: torch.from_numpy(stream.normal(size=(20, 8))).float() for language in ("en", "ja")}
    post = {language: vectors + 9 for language, vectors in pre.items()}
    rows = pd.DataFrame(_picture(replace(config, picture="umap"), "en", pre, post))
    assert len(rows) == 80
    assert np.isfinite(rows[["x", "y"]].to_numpy()).all()
    middles = rows.groupby("condition")[["x", "y"]].mean()
    within = rows.groupby("condition")[["x", "y"]].std().max().max()
    assert np.linalg.norm(middles.loc["pre"] - middles.loc["post"]) > 2 * within  # the two clouds lie apart
