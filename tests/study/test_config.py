"""Options of a study: the shipped ones, and the errors of invalid ones."""

from typing import get_origin, get_type_hints

import pytest

from tl_experts.analysis.statistics import holm
from tl_experts.errors import StudyError, TLExpertsError
from tl_experts.pages.report import as_toml
from tl_experts.study import StudyConfig, load_config, paper, run_study, shipped_configs

ESCAPING = "a/../../../escaped"

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
        ({"silencing": ["auroq"]}, "did you mean 'auroc'"),
        ({"silencing": "lape"}, "silencing is 'lape'; expected a list"),
        ({"picture": "tsne"}, "picture 'tsne'"),
        ({"dtype": "int8"}, "dtype 'int8'"),
        ({"texts": 0}, "texts is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"resamples": 1.5}, "resamples is 1.5"),
        ({"model": 7}, "model is 7; expected a text"),
        ({"test_row": 5}, "did you mean 'test_rows'"),
        ({"site": "mlp.hook_pots"}, "did you mean 'mlp.hook_post'"),
        ({"site": ["mlp.hook_post"]}, "site is .* expected a text"),
        ({"metric": ["auroc"]}, "metric .* is not known"),
        ({"targets": {"es": 1}}, "targets is .* expected a list"),
    ],
)
def test_the_error_of_a_bad_option_names_it(change, message):
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


def test_a_study_without_a_name_has_that_of_its_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('model = "polyglot-mini"\nk = 5\n')
    assert load_config(path) == StudyConfig.from_dict(BASE | {"name": "mine"})
    path.write_text('name = "other"\nmodel = "polyglot-mini"\nk = 5\n')
    assert load_config(path).name == "other"
    path.rename(tmp_path / "a:b.toml")
    (tmp_path / "a:b.toml").write_text('model = "polyglot-mini"\nk = 5\n')
    with pytest.raises(StudyError, match=r"^name 'a:b' cannot be the name of a file"):
        load_config(tmp_path / "a:b.toml")


def test_an_unknown_study_names_those_there_are():
    with pytest.raises(StudyError, match="did you mean 'polyglot-mini'"):
        load_config("polyglot-mimi")


def test_the_bundled_study_asks_for_every_target():
    assert load_config("polyglot-mini").targets == ("en", "de", "fr", "es", "ja")


@pytest.mark.parametrize(
    "name", ["a/../../escaped", "../escaped", "/escaped", "..", "", "a\\\\b", "C:a", "a\0b", "x" * 500]
)
def test_a_name_that_leads_out_of_its_folder_raises_an_error(name):
    with pytest.raises(StudyError, match=r"^name .* cannot be the name of a file"):
        StudyConfig.from_dict(BASE | {"name": name})


OPTIONS = {
    name: [ESCAPING] if get_origin(kind) is tuple else ESCAPING
    for name, kind in get_type_hints(StudyConfig).items()
    if "str" in str(kind) or "Literal" in str(kind)
}


@pytest.mark.slow
@pytest.mark.parametrize("option", OPTIONS)
def test_no_option_writes_outside_the_folder_of_the_study(option, config, tmp_path, monkeypatch):
    work = tmp_path / "deep" / "er"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    small = {"sweep_k": [], "control_seeds": 0, "resamples": 5, "pairs": "", "paraphrases": ""}
    with pytest.raises(TLExpertsError):
        run_study(StudyConfig.from_dict(config.as_dict() | small | {option: OPTIONS[option]}), progress=False)
    written = {path for path in tmp_path.rglob("*") if not path.is_relative_to(work / "tl-experts-runs" / "study-tiny")}
    assert written <= {tmp_path / "deep", work, work / "tl-experts-runs"}


def test_a_tilde_in_the_name_of_a_file_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = StudyConfig.from_dict(BASE)
    (tmp_path / "study.toml").write_text(as_toml(config), encoding="utf-8")
    assert load_config("~/study.toml") == config
