"""The search for alignment: the best of the dev split is reported on the test split, beside no intervention."""

import numpy as np
import pytest
import torch

from tl_experts import Budget, SearchSpace, Steering, collect_both, embed, steer
from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.analysis.vectors import centre
from tl_experts.errors import CorpusError, InterventionError
from tl_experts.study.aligning import View, tune_alignment

SPACE = SearchSpace(scorings=("auroc", "all"), counts=(3, 10), strengths=(0.5, 1.0))
OPTIONS = {"space": SPACE, "progress": False}


@pytest.fixture(scope="module")
def halves(corpus):
    parallel = corpus.parallel().values()
    return [corpus.take(sorted(at for own in parallel for at in own[part])) for part in (slice(0, 3), slice(3, 6))]


@pytest.fixture(scope="module")
def both(model_of, halves):
    return collect_both(model_of("llama"), halves[0], progress=False)


@pytest.fixture(scope="module")
def result(model_of, both, halves):
    return tune_alignment(model_of("llama"), both, "de", *halves, budget=Budget(trials=12), **OPTIONS)


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
    views = [View(layer, centred) for centred in (False, True) for layer in (*range(model.cfg.n_layers), None)]
    found = {view: hits(model, dev, view).mean() for view in views}
    assert result.unsteered.top1 == pytest.approx(max(found.values()))
    assert found[result.unsteered.view] == pytest.approx(max(found.values()))
    np.testing.assert_allclose(result.hits["baseline"], hits(model, test, result.unsteered.view))
    own = max((view for view in views if view.centred == result.view.centred), key=lambda view: found[view])
    np.testing.assert_allclose(result.hits["same view"], hits(model, test, own))
    gain = result.hits["steered"].mean() - result.hits["baseline"].mean()
    assert result.gain_over_baseline.value == pytest.approx(gain)


def test_where_nothing_beats_the_baseline_the_result_says_so(model_of, both, halves):
    nothing = SearchSpace(scorings=("auroc",), counts=(1,), holds=(("scale", "zero"),), strengths=(1.0,))
    found = tune_alignment(
        model_of("llama"), both, "de", *halves, budget=Budget(trials=2), space=nothing, progress=False
    )
    assert found.gain.value == found.gain_over_baseline.value == 0
    assert not found.beats_baseline
    assert "no setting is shown to beat no intervention" in str(found)
    assert found.to_dict()["beats_baseline"] is False


def test_the_same_seed_tries_the_same_and_the_steering_is_saved(model_of, both, halves, result, tmp_path):
    again = tune_alignment(model_of("llama"), both, "de", *halves, budget=Budget(trials=12), **OPTIONS)
    columns = ["setting", "rows", "top1", "raw_layer", "centred_layer"]
    assert again.to_pandas()[columns].equals(result.to_pandas()[columns])
    assert result.to_pandas()["setting"][0] == "no intervention"
    assert all("generated" not in name for name in result.to_pandas()["setting"])
    folder = result.save(tmp_path / "found")
    assert (folder / "trials.csv").read_text("utf-8").count("\n") == len(result.trials) + 2
    if isinstance(result.steering, Steering):
        assert str(Steering.from_pretrained(folder / "steering")) == str(result.steering)


def test_what_cannot_be_searched_is_an_error(model_of, both, halves, corpus):
    model, (dev, test) = model_of("llama"), halves
    only = SearchSpace(positions=("generated",))
    with pytest.raises(InterventionError, match="no setting of the space"):
        tune_alignment(model, both, "de", dev, test, space=only, progress=False)
    with pytest.raises(CorpusError, match="share"):
        tune_alignment(model, both, "de", dev, corpus, **OPTIONS)
