"""Options of a study: what ships, what is refused."""

import pytest

from tl_experts.analysis.statistics import holm
from tl_experts.errors import StudyError, TLExpertsError
from tl_experts.study import StudyConfig, load_config, paper, shipped_configs

BASE = {"name": "x", "model": "polyglot-mini", "k": 5}

PRINTED_K = {"aya-8b": 2000, "bloom-7b": 100, "polylm-13b": 2000}


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_shipped_studies_load(name):
    assert load_config(name).name == name


def test_the_two_that_run_here_and_the_three_of_the_paper_ship():
    assert set(shipped_configs()) == {"polyglot-mini", "gemma-3-270m", *PRINTED_K}


@pytest.mark.parametrize("name", PRINTED_K)
def test_the_papers_studies_have_the_papers_settings(name):
    config, setup = load_config(name), paper.printed()["setup"]
    assert config.k == PRINTED_K[name] == setup["k"][paper.MODELS[name]]
    assert list(config.targets) == setup["targets"]
    assert set(config.probe_languages) == {*setup["targets"], *setup["negatives_extra"]}
    assert set(config.languages) == set(setup["languages"])
    assert (config.texts, config.text_seeds, config.stride, config.value) == (256, 8, 512, "mean")
    assert (min(config.sweep_k), max(config.sweep_k)) == (100, 5000)


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_the_surest_gain_survives_holms_correction(name):
    config = load_config(name)
    languages = len(config.languages) or 9
    tests = {
        "gains": len(config.targets) * 2 * 4,
        "pair gains": len(config.targets) * 2 * (languages - 1),
        "controls": len(config.targets) * 4 * 4,
    }
    least = 2 / (config.resamples + 1)
    assert max(holm([least] * max(tests.values()))) < 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k is 0; expected 1 or more"),
        ({"k": "many"}, "k is 'many'; expected a whole number"),
        ({"k": True}, "k is True"),
        ({"k": None, "sweep_k": []}, "neither k nor sweep_k"),
        ({"sweep_k": [100, 0]}, "sweep_k is 0"),
        ({"targets": []}, "targets is empty"),
        ({"targets": "es"}, "targets is 'es'; expected a list"),
        ({"targets": ["klingon"]}, "not a language code"),
        ({"metric": "auroq"}, "did you mean 'auroc'"),
        ({"pooling": "sum"}, "pooling 'sum'"),
        ({"value": "mode"}, "value 'mode'"),
        ({"distance_level": "mean"}, "did you mean 'means'"),
        ({"medoid": "word"}, "medoid 'word'"),
        ({"picture": "tsne"}, "picture 'tsne'"),
        ({"dtype": "int8"}, "dtype 'int8'"),
        ({"texts": 0}, "texts is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"resamples": 1.5}, "resamples is 1.5"),
        ({"model": 7}, "model is 7; expected a text"),
        ({"test_row": 5}, "did you mean 'test_rows'"),
    ],
)
def test_bad_options_are_named(change, message):
    with pytest.raises(TLExpertsError, match=message):
        StudyConfig.from_dict(BASE | change)


def test_name_and_model_are_needed():
    with pytest.raises(StudyError, match="model must be given"):
        StudyConfig.from_dict({"name": "x"})


def test_languages_are_taken_in_any_spelling():
    assert StudyConfig.from_dict(BASE | {"targets": ["eng_Latn", "en", "de"]}).targets == ("en", "de")


@pytest.mark.parametrize(("content", "message"), [("k = = 3", "is not TOML"), ("kk = 3", "option 'kk'")])
def test_a_bad_file_is_named(tmp_path, content, message):
    (tmp_path / "study.toml").write_text(content)
    with pytest.raises(StudyError, match=message):
        load_config(tmp_path / "study.toml")


def test_an_unknown_study_names_those_there_are():
    with pytest.raises(StudyError, match="did you mean 'polyglot-mini'"):
        load_config("polyglot-mimi")


def test_the_bundled_study_asks_for_every_target():
    assert load_config("polyglot-mini").targets == ("en", "de", "fr", "es", "ja")
