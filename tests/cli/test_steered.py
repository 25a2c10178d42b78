"""How commands steer: by experts, a steering or a setting, with mistakes told before a model is loaded."""

from contextlib import nullcontext

import pytest
import torch
import typer

from tl_experts import Steering, find_experts, steer
from tl_experts.cli.steered import Steered, known_language
from tl_experts.errors import ArtefactError, SelectionError, TLExpertsError


@pytest.fixture(scope="module")
def found(model_of, corpus):
    return find_experts(model_of("llama"), corpus, k=6, progress=False)


@pytest.fixture(scope="module")
def kept(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    found.save_pretrained(folder / "all")
    found["de"].save_pretrained(folder / "de")
    Steering(found["de"], "add", strength=0.5).save_pretrained(folder / "steering")
    return folder


def logits(model, block):
    with block, torch.inference_mode():
        return model("The cat", return_type="logits")


def test_no_option_is_no_intervention(model_of):
    block, line = Steered().block(model_of("llama"), "tiny", progress=False)
    assert isinstance(block, nullcontext)
    assert line is None


@pytest.mark.parametrize("options", [{"experts": "all", "to": "deu_Latn"}, {"experts": "de"}])
def test_experts_are_held_at_their_mean(options, model_of, kept, found):
    model = model_of("llama")
    options = options | {"experts": kept / options["experts"]}
    Steered(**options).check()
    block, line = Steered(**options).block(model, "tiny", progress=False)
    assert "6 de experts" in line
    assert torch.equal(logits(model, block), logits(model, steer(model, found["de"])))


def test_a_steering_acts_as_saved(model_of, kept, found):
    model = model_of("llama")
    block, line = Steered(steering=kept / "steering").block(model, "tiny", progress=False)
    assert line.startswith("given: add at strength 0.5")
    assert torch.equal(logits(model, block), logits(model, steer(model, Steering(found["de"], "add", strength=0.5))))


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"experts": "all"}, typer.BadParameter, "experts of en, de, ru, ja; say which"),
        ({"experts": "all", "to": "fr"}, SelectionError, "no experts of 'fr'"),
        ({"experts": "all", "steering": "steering", "to": "de"}, typer.BadParameter, "not both"),
        ({"steering": "nowhere"}, ArtefactError, "nowhere"),
        ({"to": "sv"}, TLExpertsError, "--to 'sv' is not known"),
        ({"to": "klingon"}, TLExpertsError, "not a language code"),
    ],
)
def test_what_cannot_steer_is_told_early(options, error, words, kept):
    given = {name: value if name == "to" else kept / value for name, value in options.items()}
    with pytest.raises(error, match=words):
        Steered(**given).check()


def test_a_language_is_known_by_any_of_its_codes():
    assert known_language("spa_Latn", bundled=True) == "es"
    assert known_language("sv", bundled=False) == "sv"
