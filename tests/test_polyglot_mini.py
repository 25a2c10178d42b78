"""The bundled model has what a trained model must have, and its card prints what was measured."""

import json
import math
import shutil
import socket
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tl_experts import (
    collect_responses,
    embed,
    find_experts,
    load_model,
    load_sentences,
    score_responses,
    select_experts,
    steer,
    top1_accuracy,
)
from tl_experts.analysis.vectors import mean_cosine_distance
from tl_experts.cli.commands import app
from tl_experts.errors import ModelError
from tl_experts.models import catalogue
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER
from tl_experts.steering.generation import LanguageIdentifier, generate_texts

ENTRY = catalogue.ENTRIES["polyglot-mini"]
FOLDER = catalogue.bundled_folder(ENTRY)
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "ru", "ja", "zh")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dev():
    return load_sentences("bundled", split="dev", limit=120)


@pytest.fixture(scope="module")
def test_rows():
    return load_sentences("bundled", split="test", limit=40)


@pytest.fixture(scope="module")
def responses(mini, dev):
    return collect_responses(mini, dev, progress=False)


@pytest.fixture(scope="module")
def expertise(responses):
    return score_responses(responses, progress=False)


@pytest.fixture(scope="module")
def experts(expertise):
    return select_experts(expertise, k=500)


@pytest.fixture(scope="module")
def before(mini, test_rows):
    return embed(mini, test_rows, progress=False).parallel()


# --- the artefact -------------------------------------------------------------------------------------------------


def test_it_is_small_in_half_precision_and_computes_what_hugging_face_does(mini):
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM

    weights = FOLDER / "model.safetensors"
    assert weights.stat().st_size <= 24e6
    with safe_open(weights, "pt") as tensors:
        assert {tensors.get_tensor(name).dtype for name in tensors.keys()} == {torch.float16}  # noqa: SIM118
    if HAS_HOOKED_TRANSFORMER:
        assert type(mini).__name__ == "HookedTransformer"
    reference = AutoModelForCausalLM.from_pretrained(FOLDER, dtype=torch.float32)
    assert 5e6 <= sum(weight.numel() for weight in reference.parameters()) <= 12e6
    tokens = mini.to_tokens("Das Dokument wird gespeichert. 保存文档。", prepend_bos=True)
    with torch.inference_mode():
        assert (mini(tokens) - reference(tokens).logits).abs().max() < 1e-3


def test_damaged_or_missing_weights_raise_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "data_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match="belongs to the package and is not there"):
        load_model("polyglot-mini")
    shutil.copytree(FOLDER, tmp_path / str(ENTRY.bundled))
    weights = tmp_path / str(ENTRY.bundled) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ModelError, match=f"expected {ENTRY.sha256}"):
        load_model("polyglot-mini")


def test_the_card_prints_the_measurements():
    model_card = pytest.importorskip("model_card")
    training, evaluation = (json.loads((FOLDER / f"{name}.json").read_text()) for name in ("training", "evaluation"))
    assert (FOLDER / "README.md").read_text() == model_card.card(training, evaluation, "polyglot-mini")
    assert training["parameters"] == 9_703_680  # one row fewer than the weights: the padding token is added afterwards
    for language in LANGUAGES:
        assert evaluation["auroc"][language]["best"] > 0.98


@pytest.mark.parametrize("name", ["small", "small-english"])
def test_the_cards_of_the_small_models_print_their_measurements(name):
    model_card = pytest.importorskip("model_card")
    folder = FOLDER.parent / name
    training, evaluation = (
        json.loads((folder / f"{report}.json").read_text()) for report in ("training", "evaluation")
    )
    assert (folder / "README.md").read_text() == model_card.card(training, evaluation, f"polyglot-mini-{name}")
    assert (folder / "model.safetensors").stat().st_size < 12e6


def test_the_small_models_differ_only_in_their_mixture():
    compare = pytest.importorskip("compare")
    reports = [json.loads((FOLDER.parent / name / "training.json").read_text()) for name in ("small", "small-english")]
    assert reports[0]["settings"] == reports[1]["settings"]
    assert reports[0]["packages"] == reports[1]["packages"]
    assert reports[0]["shares_drawn"]["en"] < 0.2 < 0.6 < reports[1]["shares_drawn"]["en"]
    vocabularies = [(FOLDER.parent / name / "tokenizer.json").read_bytes() for name in ("small", "small-english")]
    assert vocabularies[0] == vocabularies[1]
    measured = [
        json.loads((FOLDER.parent / name / "evaluation.json").read_text()) for name in ("small", "small-english")
    ]
    table = compare.comparison([one | two for one, two in zip(reports, measured, strict=True)])
    assert table.strip() in (FOLDER.parent / "README.md").read_text()


@pytest.mark.parametrize("name", ["polyglot-mini-small", "polyglot-mini-small-english"])
def test_the_small_models_load_by_name(name):
    assert load_model(name).cfg.n_layers == 4


# --- laws of trained models -----------------------------------------------------------------------------------------


def test_every_language_has_experts(expertise, experts):
    for language in LANGUAGES:
        auroc = expertise.auroc[:, expertise.column(language)]
        assert auroc.max() > 0.98, language
        assert experts[language].statistics["auroc"][:100].mean() > 0.85, language


def test_experts_found_on_half_are_experts_of_the_other_half(mini, dev, responses):
    rows = dev.parallel()
    halves = [sorted(index for indices in rows.values() for index in indices[part::2]) for part in (0, 1)]
    first, second = (replace(responses, values=responses.values[half], corpus=dev.take(half)) for half in halves)
    first.corpus.require_disjoint(second.corpus)
    found = select_experts(score_responses(first, progress=False), k=100)
    other = score_responses(second, progress=False)
    for language in LANGUAGES:
        columns = found[language].layer * mini.cfg.d_mlp + found[language].neuron
        assert other.auroc[columns, other.column(language)].mean() > 0.8, language


def test_related_languages_share_more_experts(experts):
    overlap = experts.overlap()
    assert overlap.loc["es", "pt"] > overlap.loc["es", "ja"]
    assert overlap.loc["it", "es"] > overlap.loc["it", "zh"]


def test_the_last_hidden_state_tells_languages_apart_and_steering_brings_them_together(
    mini, test_rows, experts, before
):
    def distance(vectors):
        return np.mean([mean_cosine_distance(vectors["es"], vectors[other]) for other in LANGUAGES if other != "es"])

    with steer(mini, experts["es"]):
        after = embed(mini, test_rows, progress=False).parallel()
    assert distance(before) > 0.3
    assert distance(after) < distance(before) / 2


def test_steered_generation_changes_its_language(mini, experts):
    identify = LanguageIdentifier(LANGUAGES)

    def share(language):
        texts = generate_texts(mini, 40, seed=0, max_new_tokens=24, top_p=None, progress=False)
        return identify.share(texts, language)

    for language in ("de", "ja"):
        plain = share(language)
        with steer(mini, experts[language].head(200)):
            steered = share(language)
        assert plain < 0.5
        assert steered > 0.8


def test_steering_raises_the_loss_and_leaving_restores_it(mini, test_rows, experts):
    def loss():
        with torch.inference_mode():
            return float(mini(mini.to_tokens("Save the document in the folder."), return_type="loss"))

    plain = loss()
    with steer(mini, experts["ja"]):
        assert loss() > plain + 1
    assert loss() == plain
    assert plain < math.log(8193) - 2


# --- the offline start ----------------------------------------------------------------------------------------------


@pytest.fixture
def no_network(monkeypatch):
    """Any use of the network fails."""

    def refuse(*args, **kwargs):
        raise AssertionError("something used the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
def test_the_demo_needs_no_network(tmp_path):
    done = CliRunner().invoke(
        app, ["demo", "--model", "polyglot-mini", "--rows", "4", "--quiet", "--output", str(tmp_path / "run")]
    )
    assert done.exit_code == 0, done.output
    assert "mean es → others" in done.output
    assert (tmp_path / "run" / "experts.csv").is_file()


@pytest.mark.usefixtures("no_network")
def test_the_readmes_four_calls_work_on_it(dev):
    model = load_model("polyglot-mini")
    found = find_experts(model, dev.head(6), k=50, progress=False)
    with steer(model, found["fr"]):
        assert isinstance(model.generate("Open the file", max_new_tokens=5, verbose=False), str)
    vectors = embed(model, dev.head(6), progress=False).parallel()
    assert 0 <= top1_accuracy(vectors["fr"], vectors["en"]) <= 1
