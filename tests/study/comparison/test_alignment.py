"""Retrieval of a comparison: baselines are those of the embeddings; the best of them gains nothing on itself."""

import pytest
import torch

from tl_experts import embed, load_sentences
from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.vectors import centre
from tl_experts.study.comparison.alignment import LAST_CENTRED, LAST_RAW, UNSTEERED, VIEWS

pytestmark = pytest.mark.slow


def test_the_baselines_are_those_of_the_plain_embeddings(compared, compare_config, mini):
    test = load_sentences("bundled", split="test").head(compare_config.test_rows)
    space = embed(mini, test, progress=False).parallel()
    free = compared["alignment"].query("method == @UNSTEERED").set_index("view")
    centred = {language: centre(vectors) for language, vectors in space.items()}
    for view, vectors in ((LAST_RAW, space), (LAST_CENTRED, centred)):
        ranks = torch.stack(list(all_pair_ranks(vectors).values()))
        assert free.loc[view, "top1"] == pytest.approx(float((ranks < 1).double().mean()))
    assert UNSTEERED == "no intervention"


def test_the_best_baseline_gains_nothing_on_itself(compared):
    table = compared["alignment"]
    best = table["best_baseline"].iloc[0]
    own = table[(table["method"] == UNSTEERED) & (table["view"] == best)].iloc[0]
    assert own["gain"] == 0
    assert own["dev_top1"] == table[table["method"] == UNSTEERED]["dev_top1"].max()


def test_every_method_is_seen_in_every_view(compared):
    table = compared["alignment"]
    assert (table.groupby("method")["view"].nunique() == len(VIEWS)).all()
    assert table["top1"].between(table["low"], table["high"]).all()
