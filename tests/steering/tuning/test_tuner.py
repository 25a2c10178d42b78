"""`tune` with a tiny model: killed at any trial it resumes with the same result; the report has prompts of its own."""

from dataclasses import replace

import numpy as np
import pytest

from tl_experts import Budget, Decoding, SearchSpace, TuneResult, TuningPrompts, collect_both, steer, tune
from tl_experts.errors import ArtefactError, TLExpertsError
from tl_experts.steering.tuning import tuner as module
from tl_experts.steering.tuning.building import builder
from tl_experts.steering.tuning.tuner import Tuning, bundled_tuning_prompts
from tl_experts.steering.writing import measures
from tl_experts.steering.writing.continuing import continue_prompts, continue_side_by_side
from tl_experts.steering.writing.repetition import compression_ratio

PROMPTS = TuningPrompts(("Die Katze", "猫は", "Where"), ("The cat", "She"), ("Bread", "Кошка"))
OPTIONS = {
    "prompts": PROMPTS,
    "space": SearchSpace(counts=(5, 20), strengths=(0.5, 1.0)),
    "budget": Budget(trials=14, finalists=2),
    "decoding": Decoding(max_new_tokens=4),
    "progress": False,
}


@pytest.fixture(scope="module")
def both(model_of, corpus):
    return collect_both(model_of("llama"), corpus, progress=False)


def half(texts, _):
    return np.array([len(text) % 2 == 0 for text in texts])


@pytest.fixture(autouse=True)
def half_of_all_texts_are_german(monkeypatch):
    """The tiny model writes no language."""
    monkeypatch.setattr(measures, "in_language", half)


@pytest.fixture(scope="module")
def whole(model_of, both, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "in_language", half)
        folder = tmp_path_factory.mktemp("tuning") / "whole"
        return tune(model_of("llama"), both, "de", folder=folder, **OPTIONS), folder


def rows(result):
    return [{**trial.to_dict(), "seconds": 0, "perplexity": repr(trial.perplexity)} for trial in result.trials]


def test_the_report_is_what_the_best_setting_writes_for_other_prompts(model_of, whole):
    result, _ = whole
    model = model_of("llama")
    with steer(model, result.steering):
        texts = continue_prompts(model, PROMPTS.report, decoding=OPTIONS["decoding"], progress=False)
    assert result.report.texts == tuple(text for own in texts for text in own)
    assert result.report.prompts == PROMPTS.report
    assert result.natural.prompts == PROMPTS.natural
    assert result.report.natural is result.natural
    assert 1 <= len(result.trials) <= 14
    assert result.best.setting.strength == result.steering.strength


def test_a_saved_result_is_loaded_without_a_loss(whole):
    result, folder = whole
    again = TuneResult.load(folder)
    assert rows(again) == rows(result)
    assert str(again.steering) == str(result.steering)
    assert again.report.texts == result.report.texts
    np.testing.assert_array_equal(again.report.quality, result.report.quality)
    assert str(again) == str(result)


def test_the_finalists_write_further_texts_for_all_prompts(model_of, whole):
    result, _ = whole
    last = [trial for trial in result.trials if trial.stage == 3]
    finalists = [trial for trial in last if trial.setting.strength in OPTIONS["space"].strengths]
    assert len(finalists) == 2
    assert len(last) == 3  # half a step from strength 1
    assert result.best in last
    assert all((trial.prompts, trial.texts) == (3, 9) for trial in last)
    with steer(model_of("llama"), result.steering):
        written = continue_prompts(
            model_of("llama"), PROMPTS.search, texts=3, decoding=OPTIONS["decoding"], progress=False
        )
    texts = [text for own in written for text in own]
    assert result.best.share == half(texts, "de").mean()
    assert result.best.compression == pytest.approx(np.nanmean([compression_ratio(text) for text in texts]))


def test_more_texts_in_the_final_need_a_folder_of_their_own(model_of, both, tmp_path):
    budget = replace(OPTIONS["budget"], final_texts=4)
    found = tune(model_of("llama"), both, "de", folder=tmp_path, **{**OPTIONS, "budget": budget})
    assert found.best.texts == 3 * (1 + 4)
    with pytest.raises(ArtefactError, match="final_texts"):
        tune(model_of("llama"), both, "de", folder=tmp_path, **OPTIONS)


@pytest.mark.parametrize("survived", [0, 4, 6, 7, 9, 11, 12])
def test_a_killed_search_resumes_with_the_same_result(model_of, both, whole, tmp_path, monkeypatch, survived):
    calls = iter(range(99))

    def dies(*args, **options):
        if next(calls) == survived:
            raise KeyboardInterrupt
        return continue_side_by_side(*args, **options)

    monkeypatch.setattr(module, "continue_side_by_side", dies)
    with pytest.raises(KeyboardInterrupt):
        tune(model_of("llama"), both, "de", folder=tmp_path, **OPTIONS)
    monkeypatch.setattr(module, "continue_side_by_side", continue_side_by_side)
    assert rows(tune(model_of("llama"), both, "de", folder=tmp_path, **OPTIONS)) == rows(whole[0])


def test_what_is_there_is_not_written_again_and_another_search_is_refused(model_of, both, whole, monkeypatch):
    result, folder = whole
    monkeypatch.setattr(module, "continue_side_by_side", None)
    assert rows(tune(model_of("llama"), both, "de", folder=folder, **OPTIONS)) == rows(result)
    with pytest.raises(ArtefactError, match="another job: seed"):
        tune(model_of("llama"), both, "de", folder=folder, seed=1, **OPTIONS)


def test_a_folder_of_a_search_without_half_steps_holds_the_same_pieces(whole):
    """Six parts of every setting, in the order of the space, after the natural texts; those of half steps follow."""
    result, folder = whole
    settings = OPTIONS["space"].settings()
    for trial in result.trials:
        if trial.setting in settings:
            assert (folder / "trials" / f"{1 + 6 * settings.index(trial.setting):06d}.safetensors").is_file()
    last = max(int(path.stem) for path in (folder / "trials").glob("*.safetensors"))
    assert last > 6 * len(settings)


def test_searches_for_one_language_share_their_natural_texts_and_find_what_each_finds_alone(
    model_of, both, whole, tmp_path, monkeypatch
):
    natural = []

    def counted(model, prompts, conditions, **options):
        natural.extend(condition for condition in conditions if condition is None)
        return continue_side_by_side(model, prompts, conditions, **options)

    monkeypatch.setattr(module, "continue_side_by_side", counted)
    options = {name: OPTIONS[name] for name in ("prompts", "decoding")}
    tuning = Tuning(model_of("llama"), builder(both, "de"), **options)
    other = SearchSpace(scorings=("all",), strengths=(0.5,))
    tuning.search(other, OPTIONS["budget"], folder=tmp_path / "other", progress=False)
    found = tuning.search(OPTIONS["space"], OPTIONS["budget"], folder=tmp_path / "same", progress=False)
    assert len(natural) == 1
    assert rows(found) == rows(whole[0])
    # Each folder holds them, and goes on by itself.
    assert rows(tune(model_of("llama"), both, "de", folder=tmp_path / "same", **OPTIONS)) == rows(whole[0])
    assert len(natural) == 1


def test_prompts_of_the_report_are_kept_apart():
    with pytest.raises(TLExpertsError, match="'Where' is in search and report"):
        replace(PROMPTS, report=("Where",))
    bundled = bundled_tuning_prompts("es", domain="computers")
    assert len(bundled.search) == len(bundled.report) == len(bundled.natural) == 10
    with pytest.raises(TLExpertsError, match="both 'en'"):
        bundled_tuning_prompts("en")
