"""The folder of a study, comparison, `find` or demo is opened; any other raises an error that says what to give."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tl_experts import Batching, Experts, Reading, collect_responses, find_experts, load_model, load_sentences
from tl_experts.cli.commands import app
from tl_experts.errors import ArtefactError, StudyError
from tl_experts.pages.inspector.kept import note_file
from tl_experts.pages.inspector.runs import open_run
from tl_experts.pages.inspector.saved import expert_counts


@pytest.fixture(scope="module")
def demo(checkpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    arguments = ["demo", "--model", str(checkpoint("llama")), "--k", "3", "--rows", "4", "--quiet"]
    CliRunner().invoke(app, [*arguments, "--output", str(folder)], catch_exceptions=False)
    return folder


@pytest.fixture
def copy(demo, tmp_path):
    return shutil.copytree(demo, tmp_path / "copy")


def test_a_demo_is_opened_with_its_model_its_sentences_and_its_experts(demo, checkpoint):
    run = open_run(demo)
    assert run.model == str(checkpoint("llama"))
    assert run.corpus == load_sentences("bundled", split="dev", limit=4)
    np.testing.assert_array_equal(run.experts.neuron, Experts.from_pretrained(demo / "experts").neuron)
    model = run.load_model()
    expected = collect_responses(
        model, run.corpus, reading=Reading(batching=Batching(truncate=True)), progress=False
    ).values
    assert torch.equal(run.responses(model).values, expected)
    inspection = run.inspection(model, progress=False)
    assert inspection.experts.counts == dict.fromkeys(run.corpus.languages, 3)


def test_a_study_is_opened_and_its_responses_are_read_back(result, monkeypatch):
    run = open_run(result.folder)
    assert run.corpus.languages == result.config.probe_languages
    assert run.corpus == load_sentences("bundled", split="dev", limit=12).only(result.config.probe_languages)
    model = load_model(result.config.model)
    expected = collect_responses(
        model, run.corpus, reading=Reading(batching=Batching(truncate=True)), progress=False
    ).values
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)
    assert torch.equal(run.responses(model).values, expected)


def test_the_folder_of_find_is_opened_with_its_own_corpus_and_keeps_activations(find_folder, checkpoint, tmp_path):
    folder = shutil.copytree(find_folder, tmp_path / "find")
    run = open_run(folder)
    assert run.model == str(checkpoint("llama"))
    assert run.corpus == load_sentences("bundled", split="dev", limit=4, languages=["en", "ja"])
    model = run.load_model()
    live = run.live()
    expected = collect_responses(model, run.corpus, progress=False).values[:, 0].numpy()
    np.testing.assert_array_equal(live.responses.columns(0, 1)[:, 0], expected)
    assert run.inspection(model, progress=False).experts.counts == {"en": 3, "ja": 3}
    live.prepare()
    assert note_file(folder).is_file()


def test_the_folder_of_find_without_the_models_name_says_what_to_do(find_folder, tmp_path):
    folder = shutil.copytree(find_folder, tmp_path / "older")
    (folder / "find.json").unlink()
    with pytest.raises(ArtefactError, match=r"lacks find\.json.*tl-experts find.*keeps the responses"):
        open_run(folder)


@pytest.mark.slow
def test_a_comparison_is_opened_with_the_neurons_of_the_method_that_writes_best(compared, mini, tmp_path):
    folder = shutil.copytree(compared.folder, tmp_path / "compared")
    run = open_run(folder)
    assert run.corpus == load_sentences("bundled", split="dev", limit=8)
    assert run.model == "polyglot-mini"
    assert expert_counts(folder) == run.experts.counts
    assert set(run.experts.counts) == {"es"}
    assert run.experts.counts["es"] in (20, 100)
    auroc = find_experts(mini, run.corpus, k=100, progress=False)
    assert run.experts.neurons_of("es") <= auroc.neurons_of("es")
    small = replace(run, corpus=run.corpus.only(["en", "es"]))
    assert small.inspection(mini, k=2, progress=False).experts.counts == {"es": 2}
    assert run.responses(mini).corpus == run.corpus


def test_a_comparison_that_is_not_finished_says_how_to_finish_it(compare_config, tmp_path):
    (tmp_path / "comparison.json").write_text(json.dumps({"config": compare_config.as_dict(), "about": {}}))
    with pytest.raises(StudyError, match=r"writing-es.* missing; run the same comparison again"):
        open_run(tmp_path)


def test_a_folder_without_a_run_raises_an_error_that_says_what_to_give(tmp_path):
    with pytest.raises(ArtefactError, match=r"tl-experts study.*tl-experts demo"):
        open_run(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("{", "damaged"),
        ("[]", "holds a list; expected a JSON object"),
        ('{"rows": 4}', "'model'"),
        ('{"model": "x", "rows": 0}', "rows is 0; expected"),
        ('{"model": "x", "rows": true}', "rows is True; expected"),
        ('{"model": "x", "rows": "4"}', "rows is '4'; expected"),
    ],
)
def test_damaged_settings_of_a_demo_raise_an_error(settings, message, copy):
    assert open_run(copy).corpus
    (copy / "settings.json").write_text(settings)
    with pytest.raises(ArtefactError, match=message):
        open_run(copy)


def test_a_run_without_its_experts_raises_an_error(copy):
    shutil.rmtree(copy / "experts")
    with pytest.raises(ArtefactError, match="experts"):
        open_run(copy)


def test_all_rows_of_the_split_are_read_where_no_count_is_saved(copy):
    settings = json.loads((copy / "settings.json").read_text())
    (copy / "settings.json").write_text(json.dumps(settings | {"rows": None}))
    assert open_run(copy).corpus == load_sentences("bundled", split="dev")
