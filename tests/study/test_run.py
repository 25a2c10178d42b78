"""A whole study: its numbers against other ways to them, its resumption after kills, its refusals."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_distances

from tl_experts import (
    Corpus,
    collect_responses,
    embed,
    load_model,
    load_sentences,
    score_responses,
    select_experts,
    steer,
)
from tl_experts.errors import ArtefactError, StudyError
from tl_experts.jobs.pieces import Shards
from tl_experts.study import StudyResult, load_config, run_study
from tl_experts.study.run import STAGES
from tl_experts.study.stages.space import _picture
from tl_experts.study.stages.sweep import pareto

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(config):
    return load_model(config.model)


@pytest.fixture(scope="module")
def dev(config):
    return load_sentences("bundled", split="dev", limit=config.dev_rows).only(config.probe_languages)


@pytest.fixture(scope="module")
def test_split(config):
    return load_sentences("bundled", split="test", limit=config.test_rows).only(config.languages)


@pytest.fixture(scope="module")
def experts(config, model, dev):
    responses = collect_responses(model, dev, progress=False)
    return select_experts(score_responses(responses, progress=False), k=config.k)


@pytest.fixture(scope="module")
def spaces(model, test_split, experts):
    """The test rows as NumPy, by target ("" for pre) and language: through the public functions, not the study's."""
    found = {"": embed(model, test_split, progress=False).parallel()}
    for target in ("en", "ja"):
        with steer(model, experts[target]):
            found[target] = embed(model, test_split, progress=False).parallel()
    return {key: {language: v.numpy() for language, v in space.items()} for key, space in found.items()}


def row(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    assert len(table) == 1, (wanted, len(table))
    return table.iloc[0]


def test_every_stage_leaves_its_tables(result):
    assert list(result.stages) == list(STAGES)
    for stage in result.stages.values():
        assert stage["seconds"] > 0
        assert stage["peak_mib"] > 10
    for name in result:
        assert len(result[name])
        assert (result.folder / "tables" / f"{name}.csv").is_file()
        pd.testing.assert_frame_equal(
            pd.read_csv(result.folder / "tables" / f"{name}.csv", keep_default_na=False, na_values=["NaN"])[[]],
            result[name][[]],
        )


@pytest.mark.parametrize("target", ["en", "ja"])
def test_retrieval_is_that_of_plain_cosines(result, spaces, target):
    for condition, queries, candidates in (
        ("pre", spaces[""], spaces[""]),
        ("post", spaces[target], spaces[target]),
        ("mixed", spaces[""], spaces[target]),
    ):
        table = result["retrieval"]
        table = table[(table["condition"] == condition) & (table["measure"] == "cosine")]
        table = table[table["target"] == ("" if condition == "pre" else target)]
        assert len(table) == 4 * 3
        for query, candidate in (("en", "ja"), ("ja", "en"), ("de", "fr")):
            order = cosine_distances(queries[query], candidates[candidate]).argsort(axis=1)
            ranks = np.array([list(line).index(place) for place, line in enumerate(order)])
            found = row(table, query=query, candidate=candidate)
            assert found["top1"] == pytest.approx((ranks == 0).mean())
            assert found["top5"] == pytest.approx((ranks < 5).mean())
            assert found["mrr"] == pytest.approx((1 / (ranks + 1)).mean())


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


def test_gains_are_differences_with_an_interval_around_them(result):
    for _, found in result["gains"].iterrows():
        assert found["gain"] == pytest.approx(found["post"] - found["pre"])
        assert found["low"] <= found["gain"] + 1e-6
        assert found["gain"] <= found["high"] + 1e-6
        assert found["p"] <= found["p_holm"] <= 1
    assert set(result["gains"]["kind"]) == {"target as query", "target as candidate", "other pairs", "all pairs"}


def test_the_intervention_stands_in_the_baselines_as_in_the_gains(result):
    gains = row(result["gains"], target="ja", condition="post", kind="all pairs")
    for condition in ("pre", "post"):
        found = row(result["baselines"], target="ja", condition=condition, method="last layer", kind="all pairs")
        assert found["top1"] == pytest.approx(gains[condition])
    first = row(result["controls"], target="ja", control="experts")
    assert first["all pairs"] == pytest.approx(gains["post"])


def test_centring_by_hand(result, spaces):
    space = {language: vectors - vectors.mean(axis=0) for language, vectors in spaces["en"].items()}
    hits = [
        (cosine_distances(space[a], space[b]).argmin(axis=1) == np.arange(10)).mean()
        for a in space
        for b in space
        if a != b
    ]
    found = row(result["baselines"], target="en", condition="post", method="centred", kind="all pairs")
    assert found["top1"] == pytest.approx(np.mean(hits))


def test_the_best_layer_is_chosen_on_dev(result):
    layers = result["layers"]
    chosen = layers[layers["chosen"]]
    assert len(chosen) == 1
    assert chosen["dev_top1"].item() == layers["dev_top1"].max()
    found = row(result["baselines"], target="en", condition="pre", method="best layer", kind="all pairs")
    assert found["top1"] == pytest.approx(chosen["top1"].item())


def test_correlations_are_scipys(result):
    table = result["candidates"]
    mine = table[table["target"] == "en"]
    assert len(mine) == 3
    found = row(result["correlations"], target="en", of="d_post~d_pre")
    expected = stats.pearsonr(mine["distance post"], mine["distance pre"]).statistic
    assert found["r"] == pytest.approx(expected)
    assert {"acc_post~d_post", "acc_pre~d_pre", "gain~d_pre-d_post"} < set(result["correlations"]["of"])


def test_length_confound_is_scikit_learns_auroc(result, model, dev):
    lengths = [len(ids) for ids in model.tokenizer(list(dev.texts), add_special_tokens=False)["input_ids"]]
    auroc = roc_auc_score([label == "ja" for label in dev.labels], lengths)
    assert row(result["stability"], target="ja")["length_auroc"] == pytest.approx(max(auroc, 1 - auroc), abs=1e-6)


def test_experts_are_compared_among_sentences_of_like_length(result, model, dev, experts):
    tokens = np.array([len(ids) for ids in model.tokenizer(list(dev.texts), add_special_tokens=False)["input_ids"]])
    responses = collect_responses(model, dev, truncate=True, progress=False)
    mine = experts["ja"]
    values = responses.values[:, responses.neurons.columns_of(mine.layer, mine.neuron)].numpy()
    is_ja = np.array(dev.labels) == "ja"
    edges = np.unique(np.quantile(tokens, np.arange(1, 10) / 10))
    stratum = (tokens[:, None] >= edges).sum(axis=1)
    won, pairs = np.zeros(len(mine)), 0
    for i in np.flatnonzero(is_ja):
        for j in np.flatnonzero(~is_ja & (stratum == stratum[i])):
            won += (values[i] > values[j]) + 0.5 * (values[i] == values[j])
            pairs += 1
    found = row(result["stability"], target="ja")
    assert found["auroc_length_matched"] == pytest.approx((won / pairs).mean(), abs=1e-6)
    lead = mine.statistics["auroc"] - 0.5
    assert found["tracks_length"] == pytest.approx(np.mean(won / pairs - 0.5 < 0.5 * lead))


def test_the_spread_of_gains_is_over_candidates(result):
    gains = result["pair_gains"]
    mine = gains[gains["query"] == gains["target"]]
    spread = result["gain_spread"].set_index("target")
    assert spread.loc["ja", "median"] == pytest.approx(mine[mine["target"] == "ja"]["gain"].median())
    assert spread.loc["all", ["least", "most"]].tolist() == [mine["gain"].min(), mine["gain"].max()]
    assert spread.loc["all", "candidates"] == len(mine) == 6


def test_umap_draws_pre_and_post_together(config):
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


def test_controls_come_in_every_kind_and_seed(result):
    table = result["controls"]
    counts = table[table["target"] == "en"].groupby("control").size()
    assert counts.to_dict() == {
        "experts": 1,
        "random": 2,
        "random, same layers": 2,
        "experts of ja": 1,
        "experts of shuffled labels": 1,
    }
    summary = row(result["control_summary"], target="en", control="random", kind="all pairs")
    draws = table[(table["target"] == "en") & (table["control"] == "random")]["all pairs"]
    assert summary["top1"] == pytest.approx(draws.mean())
    assert summary["spread"] == pytest.approx(draws.std())


def test_paraphrases_by_language_and_condition(result):
    table = result["paraphrases"]
    assert set(table["condition"]) == {"pre", "post", "mixed"}
    assert (table["top1_hard"] <= table["top1"] + 1e-9).all()  # more candidates find no more
    assert set(table[table["neurons"] == "random"]["language"]) == {"en", "ja"}
    one, other = (row(table, target=t, language="de", condition="pre", neurons="experts") for t in ("en", "ja"))
    assert one["top1"] == other["top1"]


def test_pair_sets_are_measured_for_the_targets_in_them(result, model, experts):
    table = result["pair_sets"]
    assert list(zip(table["target"], table["query"], table["candidate"], strict=True)) == [
        ("en", "de", "en"),
        ("en", "en", "de"),
    ]
    pairs = Corpus.from_texts({"de": ["eins", "zwei", "drei"], "en": ["one", "two", "three"]}, aligned=True)
    with steer(model, experts["en"]):
        space = {language: v.numpy() for language, v in embed(model, pairs, progress=False).parallel().items()}
    hits = cosine_distances(space["en"], space["de"]).argmin(axis=1) == np.arange(3)
    assert row(table, query="en")["post"] == pytest.approx(hits.mean())


def test_the_sweep_measures_every_count_and_marks_the_front(result):
    table = result["sweep"]
    for target in ("en", "ja"):
        mine = table[table["target"] == target]
        assert list(mine["k"]) == [0, 4, 8]
        steered = mine[mine["k"] > 0]
        front = pareto(np.column_stack([-steered["language_id"], steered["perplexity"]]))
        assert list(steered["pareto"]) == front
        assert not mine[mine["k"] == 0]["pareto"].item()
    assert set(result["choice"]["k"]) == {6}


def test_pareto_keeps_equal_points_and_drops_beaten_ones():
    costs = np.array([[1.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 1.0]])
    assert pareto(costs) == [True, True, False, True]


def test_a_second_call_runs_no_stage(config, result):
    started = []
    again = run_study(config, result.folder, progress=False, started=started.append)
    assert started == []
    assert_same(again, result)


def test_lost_stages_come_out_the_same_without_a_pass_of_the_model(config, result, tmp_path, monkeypatch):
    folder = tmp_path / "copy"
    shutil.copytree(result.folder, folder)
    shutil.rmtree(folder / "stages")
    shutil.rmtree(folder / "tables")

    def refuse(*_):
        raise AssertionError("a piece was computed again")

    monkeypatch.setattr(Shards, "save", refuse)
    assert_same(run_study(config, folder, progress=False), result)


KILLER = """
import os, signal, sys
from tl_experts.jobs.pieces import Shards
from tl_experts.study import StudyConfig, run_study
import json
options, folder, left = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
save = Shards.save
def counting(self, number, arrays):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    save(self, number, arrays)
Shards.save = counting
run_study(StudyConfig.from_dict(options), folder, progress=False)
"""


@pytest.mark.parametrize("saves", [3, 25])
def test_killed_and_called_again_it_repeats_one_batch_at_most(config, result, tmp_path, monkeypatch, saves):
    options = json.dumps(config.as_dict())
    done = subprocess.run(
        [sys.executable, "-c", KILLER, options, str(tmp_path), str(saves)],
        check=False,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    assert done.returncode == -signal.SIGKILL
    kept = len(list((tmp_path / "passes").rglob("*.safetensors")))
    assert kept == saves
    made = []
    save = Shards.save
    monkeypatch.setattr(Shards, "save", lambda *arguments: (made.append(1), save(*arguments))[1])
    again = run_study(config, tmp_path, progress=False)
    assert kept + len(made) == len(list((result.folder / "passes").rglob("*.safetensors")))
    assert_same(again, result)


def assert_same(one, other):
    assert list(one) == list(other)
    for name in other:
        pd.testing.assert_frame_equal(one[name], other[name], rtol=1e-4, atol=1e-5)


def test_another_study_in_the_folder_is_refused(config, result):
    with pytest.raises(StudyError, match="holds a study with k = 6, this one has 5"):
        run_study(replace(config, k=5), result.folder, progress=False)


def test_without_k_the_rule_chooses_and_says_why(config, tmp_path):
    chosen = run_study(
        replace(config, k=None, targets=("ja",), control_seeds=0, paraphrases=""), tmp_path, progress=False
    )
    (line,) = chosen["choice"].to_dict("records")
    assert line["k"] in (4, 8)
    assert "lowest perplexity" in line["why"]
    assert "paraphrases" not in chosen


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": ("sv",)}, "target 'sv' is not in both splits"),
        ({"targets": ("es",)}, "target 'es' is not in both splits; they share en, de, fr, ja"),
        ({"k": 97}, "97 experts are asked for, but there are 96 neurons"),
    ],
)
def test_what_the_model_or_corpus_lacks_is_named(config, tmp_path, change, message):
    with pytest.raises(StudyError, match=message):
        run_study(replace(config, **change), tmp_path, progress=False)


def test_loading_what_is_no_finished_study(result, tmp_path):
    with pytest.raises(StudyError, match="holds no study"):
        StudyResult.load(tmp_path)
    folder = tmp_path / "copy"
    shutil.copytree(result.folder, folder)
    (folder / "tables" / "gains.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ArtefactError, match=r"gains\.parquet cannot be read"):
        StudyResult.load(folder)
    (folder / "stages" / "controls.json").unlink()
    with pytest.raises(StudyError, match="stages controls are missing"):
        StudyResult.load(folder)
    (folder / "study.json").write_text("{")
    with pytest.raises(ArtefactError, match="is damaged"):
        StudyResult.load(folder)
    with pytest.raises(StudyError, match="did you mean 'gains'"):
        result["gain"]


def test_the_bundled_study_asks_for_every_target():
    assert load_config("polyglot-mini").targets == ("en", "de", "fr", "es", "ja")
