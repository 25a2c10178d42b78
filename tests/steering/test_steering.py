"""A `Steering` is a value: checked when it is built, used in any number and order, saved, described in one line."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from tests.steering.activations import PADDED, TOKENS, read, same_bits
from tl_experts import Steering, collect_both, embed, intervention_hooks, score_responses, select_experts, steer
from tl_experts.errors import ArtefactError, InterventionError

OPTIONS = {"operation": "add", "value": "median", "strength": 0.5, "positions": "last", "keep_norm": True}


def test_a_steering_steers_as_its_options_do(llama, experts):
    with steer(llama, experts["de"], **OPTIONS):
        by_options = read(llama)
    with steer(llama, Steering(experts["de"], **OPTIONS)):
        assert same_bits(read(llama), by_options)
    with steer(llama, Steering(experts["de"])):
        by_default = read(llama)
    with steer(llama, experts["de"]):
        assert same_bits(read(llama), by_default)
    assert not torch.equal(by_default, by_options)


def test_several_act_in_order_as_nested_blocks_do(llama, experts):
    silence, hold = Steering(experts["en"], operation="zero"), Steering(experts["de"], strength=0.5)
    before = read(llama, PADDED)
    with steer(llama, silence), steer(llama, hold):
        nested = read(llama, PADDED)
    with steer(llama, [silence, hold]):
        assert same_bits(read(llama, PADDED), nested)
    with steer(llama, [experts["de"], Steering(experts["de"], operation="zero")]):
        last_wins = read(llama)
    mine = experts["de"]
    assert (last_wins[torch.tensor(mine.layer), :, :, torch.tensor(mine.neuron)] == 0).all()
    assert same_bits(read(llama, PADDED), before)


def test_several_work_with_embed_and_run_with_hooks(llama, experts, corpus):
    several = [Steering(experts["en"], operation="zero"), experts["de"]]
    few = corpus.only(["en"])
    with torch.inference_mode(), steer(llama, several):
        inside, logits = embed(llama, few, progress=False).vectors, llama(TOKENS)
    torch.testing.assert_close(embed(llama, few, hooks=intervention_hooks(several), progress=False).vectors, inside)
    with torch.inference_mode():
        assert torch.equal(llama.run_with_hooks(TOKENS, fwd_hooks=intervention_hooks(several)), logits)


@pytest.mark.parametrize("name", ["folder", "one.safetensors"])
@pytest.mark.parametrize(
    "options",
    [{}, OPTIONS, {"value": np.linspace(-1, 1, 12)}, {"positions": 4}],
    ids=["default", "named", "own", "first tokens"],
)
def test_what_is_saved_is_loaded(llama, experts, tmp_path, name, options):
    saved = Steering(experts["de"], **options)
    loaded = Steering.from_pretrained(saved.save_pretrained(tmp_path / name))
    assert str(loaded) == str(saved)
    with steer(llama, saved):
        wanted = read(llama)
    with steer(llama, loaded):
        assert same_bits(read(llama), wanted)


@pytest.mark.parametrize(
    "change",
    [{"operation": "sett"}, {"strength": 7.0}, {"value": None}, {"positions": []}, {"positions": 0}, {"surprise": 1}],
)
def test_a_changed_header_is_not_loaded(experts, tmp_path, change):
    Steering(experts["de"]).save_pretrained(tmp_path)
    header = json.loads((tmp_path / "steering.json").read_text())
    header["steering"] |= change
    (tmp_path / "steering.json").write_text(json.dumps(header))
    with pytest.raises(ArtefactError, match="not a complete steering"):
        Steering.from_pretrained(tmp_path)


def test_experts_are_not_loaded_as_a_steering(experts, tmp_path):
    experts["de"].save_pretrained(tmp_path)
    with pytest.raises(ArtefactError, match=r"holds 'experts'.*expected 'steering'"):
        Steering.from_pretrained(tmp_path)


def test_a_steering_is_told_in_a_line(experts):
    assert str(Steering(experts["de"], **OPTIONS)) == (
        "add at strength 0.5, value median, last positions, norm kept: 12 de experts (top 12 by auroc at mlp.hook_post)"
    )
    own = Steering(experts["de"], operation=torch.maximum, value=np.zeros(12))
    assert str(own).startswith("maximum at strength 1, value given, all positions: 12 de experts")


def test_a_steering_cannot_change(experts):
    own = np.zeros(12, dtype=np.float32)
    steering = Steering(experts["de"], value=own)
    own += 1
    assert (steering.value == 0).all()
    with pytest.raises(ValueError, match="read-only"):
        steering.value[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        steering.strength = 0.5


@pytest.mark.parametrize(("value", "strength"), [("diffmean", 2.0), ("token_mean", -1.0)])
def test_means_over_tokens_are_added_to_the_experts_alone(llama, corpus, value, strength):
    responses, tokens = collect_both(llama, corpus, progress=False)
    mine = select_experts(score_responses(responses, progress=False), k=12, tokens=tokens)["de"]
    less = tokens.other_mean if value == "diffmean" else 0 * tokens.mean
    difference = torch.tensor((tokens.mean - less)[tokens.row("de")]).float()
    before = read(llama)[0]
    with steer(llama, mine, operation="add", value=value, strength=strength):
        after = read(llama)[0]
    chosen = torch.tensor(mine.neuron[mine.layer == 0])
    expected = before.clone()
    expected[..., chosen] += strength * difference[chosen]
    torch.testing.assert_close(after, expected, rtol=1e-5, atol=1e-6)
    assert f"value {value}," in str(Steering(mine, value=value))


def test_experts_without_means_over_tokens_raise(experts):
    with pytest.raises(InterventionError, match=r"'diffmean' needs means over tokens.*collect_both"):
        Steering(experts["de"], value="diffmean")


def test_options_beside_a_steering_raise(llama, experts):
    steering = Steering(experts["de"])
    with pytest.raises(InterventionError, match="belong to each Steering"), steer(llama, steering, strength=0.5):
        pass
    with pytest.raises(InterventionError, match="belong to each Steering"), steer(llama, [steering], value="zero"):
        pass
    with pytest.raises(InterventionError, match="got int in a list"), steer(llama, [steering, 3]):
        pass
    with pytest.raises(InterventionError, match="expected Experts or a Steering"), steer(llama, llama):
        pass
