"""The search for alignment: the best of the dev split is reported on the test split, and a killed search resumes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tl_experts import Budget, SearchSpace, collect_both, embed, score_responses, steer
from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.vectors import centre
from tl_experts.errors import ArtefactError, CorpusError, InterventionError, SiteError, TLExpertsError
from tl_experts.study.aligning import AlignmentResult, AlignmentSpace, View, reader, tune_alignment
from tl_experts.study.spaces import setting_spaces

SPACE = AlignmentSpace(scorings=("auroc", "all"), counts=(3, 10), strengths=(0.5, 1.0), embedding_layers=(1, None))
OPTIONS = {"space": SPACE, "budget": Budget(trials=8), "progress": False}


@pytest.fixture(scope="module")
def halves(corpus):
    corpus = corpus.only(["de", "en", "ja"])
    parallel = corpus.parallel().values()
    return [corpus.take(sorted(at for own in parallel for at in own[part])) for part in (slice(0, 3), slice(3, 6))]


@pytest.fixture(scope="module")
def both(model_of, halves):
    responses, tokens = collect_both(model_of("llama"), halves[0], progress=False)
    return responses, tokens, score_responses(responses, progress=False)


@pytest.fixture(scope="module")
def whole(model_of, both, halves, tmp_path_factory):
    folder = tmp_path_factory.mktemp("aligning") / "whole"
    return tune_alignment(model_of("llama"), both, "de", *halves, folder=folder, **OPTIONS), folder


@pytest.fixture(scope="module")
def result(whole):
    return whole[0]


@pytest.fixture
def passes(monkeypatch):
    """The settings of every pass of the model; the pass whose number is in `dies` is killed."""
    made, dies = [], set()

    def counted(model, building, settings, *args):
        if len(made) in dies:
            raise KeyboardInterrupt
        made.append(list(settings))
        return setting_spaces(model, building, settings, *args)

    monkeypatch.setattr(reader, "setting_spaces", counted)
    return made, dies


def hits(model, corpus, view, steering=None):
    """By the public functions, without the search's code."""

    def read():
        return embed(model, corpus, layer=view.layer, progress=False).parallel()

    if steering is None:
        space = read()
    else:
        with steer(model, steering):
            space = read()
    if view.centred:
        space = {language: centre(vectors) for language, vectors in space.items()}
    return (torch.stack(list(all_pair_ranks(space).values())) < 1).double().mean(dim=0).numpy()


def test_the_best_of_the_dev_split_is_reported_on_the_test_split(model_of, halves, result):
    model, (dev, test) = model_of("llama"), halves
    on_most_rows = [trial for trial in result.trials if trial.rows == 3]
    assert result.best in on_most_rows
    assert result.best.top1 == max(trial.top1 for trial in on_most_rows)
    assert result.best.top1 == pytest.approx(hits(model, dev, result.view, result.steering).mean())
    np.testing.assert_allclose(result.hits["steered"], hits(model, test, result.view, result.steering))
    assert result.top1.value == pytest.approx(result.hits["steered"].mean())


def test_the_baseline_is_the_best_view_without_intervention(model_of, halves, result):
    model, (dev, test) = model_of("llama"), halves
    views = [View(layer, centred) for centred in (False, True) for layer in (1, None)]
    found = {view: hits(model, dev, view).mean() for view in views}
    assert result.unsteered.top1 == pytest.approx(max(found.values()))
    assert {trial.raw_layer for trial in (*result.trials, *result.baselines)} <= {1, None}
    assert found[result.unsteered.view] == pytest.approx(max(found.values()))
    np.testing.assert_allclose(result.hits["baseline"], hits(model, test, result.unsteered.view))
    own = max((view for view in views if view.centred == result.view.centred), key=lambda view: found[view])
    np.testing.assert_allclose(result.hits["same view"], hits(model, test, own))
    gain = result.hits["steered"].mean() - result.hits["baseline"].mean()
    assert result.gain_over_baseline.value == pytest.approx(gain)


def test_where_nothing_beats_the_baseline_the_result_says_so(model_of, both, halves):
    nothing = AlignmentSpace(scorings=("auroc",), counts=(1,), holds=(("scale", "zero"),), strengths=(1.0,))
    found = tune_alignment(
        model_of("llama"), both, "de", *halves, budget=Budget(trials=2), space=nothing, progress=False
    )
    assert found.gain.value == found.gain_over_baseline.value == 0
    assert not found.beats_baseline
    assert "no setting is shown to beat no intervention" in str(found)
    assert found.to_dict()["beats_baseline"] is False


def untimed(result):
    return [replace(trial, seconds=0.0) for trial in (*result.trials, *result.baselines)]


def same(one, other):
    assert untimed(one) == untimed(other)
    assert str(one.steering) == str(other.steering)
    assert str(one) == str(other)
    for name in other.hits:
        np.testing.assert_array_equal(one.hits[name], other.hits[name])


def test_the_same_seed_tries_the_same_without_a_folder(model_of, both, halves, result):
    same(tune_alignment(model_of("llama"), both, "de", *halves, **OPTIONS), result)


@pytest.mark.parametrize("survived", [2, 6])
def test_a_killed_search_resumes_with_the_same_result(model_of, both, halves, result, tmp_path, passes, survived):
    made, dies = passes
    dies.add(survived)
    with pytest.raises(KeyboardInterrupt):
        tune_alignment(model_of("llama"), both, "de", *halves, folder=tmp_path, **OPTIONS)
    assert len(made) == survived
    dies.clear()
    again = tune_alignment(model_of("llama"), both, "de", *halves, folder=tmp_path, **OPTIONS)
    same(again, result)
    assert len(made) == 7  # what was measured before was not measured again
    same(AlignmentResult.load(tmp_path), result)


def test_what_is_kept_is_not_measured_again(model_of, both, halves, whole, passes):
    result, folder = whole
    again = tune_alignment(model_of("llama"), both, "de", *halves, folder=folder, **OPTIONS)
    assert passes[0] == []
    assert again.trials == result.trials  # the seconds as well
    larger = tune_alignment(
        model_of("llama"), both, "de", *halves, folder=folder, **OPTIONS | {"budget": Budget(trials=12)}
    )
    assert passes[0]
    assert len(larger.trials) > len(result.trials)


def test_a_damaged_piece_is_measured_again(model_of, both, halves, result, tmp_path, passes, caplog):
    tune_alignment(model_of("llama"), both, "de", *halves, folder=tmp_path, **OPTIONS)
    piece = sorted((tmp_path / "trials").glob("*.safetensors"))[-1]
    piece.write_bytes(piece.read_bytes()[:-3])
    del passes[0][:]
    same(tune_alignment(model_of("llama"), both, "de", *halves, folder=tmp_path, **OPTIONS), result)
    assert len(passes[0]) == 1
    assert "recomputing a piece" in caplog.text


def test_a_folder_of_another_search_is_refused(model_of, both, halves, whole, passes):
    model, (dev, test), folder = model_of("llama"), halves, whole[1]
    others = [
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"space": replace(SPACE, embedding_layers=(0,))}, "layers is"),
        ({"space": replace(SPACE, counts=(3, 9))}, "space.counts is"),
    ]
    for changed, words in others:
        with pytest.raises(ArtefactError, match=f"another job: {words}"):
            tune_alignment(model, both, "de", dev, test, folder=folder, **OPTIONS | changed)
    with pytest.raises(ArtefactError, match="another job: test is"):
        tune_alignment(model, both, "de", dev, test.head(2), folder=folder, **OPTIONS)
    with pytest.raises(ArtefactError, match="another job: target is 'de' there and 'en' here"):
        tune_alignment(model, both, "en", dev, test, folder=folder, **OPTIONS)
    assert passes[0] == []


def test_what_cannot_be_searched_is_an_error(model_of, both, halves, corpus):
    model, (dev, test) = model_of("llama"), halves
    only = replace(SPACE, positions=("generated", 4))
    with pytest.raises(InterventionError, match="no setting of the space"):
        tune_alignment(model, both, "de", dev, test, space=only, progress=False)
    with pytest.raises(CorpusError, match="share"):
        tune_alignment(model, both, "de", dev, corpus, **OPTIONS)
    with pytest.raises(TLExpertsError, match="AlignmentSpace"):
        tune_alignment(model, both, "de", dev, test, space=SearchSpace(), progress=False)
    with pytest.raises(SiteError, match="layer 99"):
        tune_alignment(model, both, "de", dev, test, space=replace(SPACE, embedding_layers=(99,)), progress=False)
