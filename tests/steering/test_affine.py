"""An affine map moves each activation as its formula says, within its range, and nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.steering.activations import PADDED, TOKENS, read, same_bits
from tl_experts import embed, intervention_hooks, steer
from tl_experts.errors import ArtefactError, InterventionError
from tl_experts.models import model_fingerprint
from tl_experts.responses.neurons import NeuronTable
from tl_experts.steering.affine import COLUMNS, AffineMap

LAYERS, WIDTH = (0, 1), 48


@pytest.fixture(scope="module")
def affine(llama) -> AffineMap:
    draw = np.random.default_rng(0)
    columns = {name: draw.normal(size=96).astype(np.float32) for name in ("slope", "intercept")}
    bounds = {"lowest": np.full(96, -0.2, np.float32), "highest": np.full(96, 0.6, np.float32)}
    table = NeuronTable(LAYERS, (WIDTH, WIDTH))
    return AffineMap("linear", "de", "en", table, "mlp.hook_post", **columns, **bounds, **found(llama))


def found(model) -> dict:
    return {"fingerprint": model_fingerprint(model)}


@pytest.mark.parametrize("strength", [0.25, 1.0])
def test_activations_within_the_range_are_mapped_and_others_keep_every_bit(llama, affine, strength):
    before = read(llama)[0]
    with steer(llama, replace(affine, strength=strength)):
        after = read(llama)[0]
    inside = (before >= -0.2) & (before <= 0.6)
    mapped = torch.tensor(affine.slope[:48]) * before + torch.tensor(affine.intercept[:48])
    torch.testing.assert_close(
        after[inside], (strength * mapped + (1 - strength) * before)[inside], rtol=1e-5, atol=1e-6
    )
    assert same_bits(after[~inside], before[~inside])
    assert 0 < inside.float().mean() < 1


def test_strength_0_and_the_identity_change_no_bit(llama, affine):
    before = read(llama)
    with steer(llama, replace(affine, strength=0)):
        assert same_bits(read(llama), before)
    identity = replace(affine, slope=np.ones(96, np.float32), intercept=np.zeros(96, np.float32))
    with steer(llama, identity):
        assert torch.equal(read(llama), before)


def test_padding_is_left_alone_and_leaving_restores_every_bit(llama, affine):
    before = read(llama, PADDED)
    with steer(llama, affine):
        after = read(llama, PADDED)
    assert torch.equal((after[0] != before[0]).any(-1), PADDED != 2)
    assert same_bits(read(llama, PADDED), before)


def test_last_and_keep_norm(llama, affine):
    before = read(llama)[0]
    with steer(llama, replace(affine, positions="last", keep_norm=True)):
        after = read(llama)[0]
    assert same_bits(after[:, :-1], before[:, :-1])
    assert not torch.equal(after[:, -1], before[:, -1])
    torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1), rtol=1e-5, atol=0)


def test_it_works_with_embed_generate_and_run_with_cache(llama, affine, corpus):
    few = corpus.only(["en"])
    options = {"max_new_tokens": 3, "do_sample": False, "stop_at_eos": False, "verbose": False}
    with torch.inference_mode(), steer(llama, affine):
        inside = embed(llama, few, progress=False).vectors
        _, cache = llama.run_with_cache(TOKENS)
        assert torch.equal(cache["blocks.0.mlp.hook_post"], read(llama)[0])
        cached = llama.generate(TOKENS[:1], **options)
        assert torch.equal(cached, llama.generate(TOKENS[:1], use_past_kv_cache=False, **options))
    torch.testing.assert_close(embed(llama, few, hooks=intervention_hooks(affine), progress=False).vectors, inside)
    assert not torch.equal(embed(llama, few, progress=False).vectors, inside)


def test_it_works_in_16_bits(bfloat_llama, affine):
    before = read(bfloat_llama)
    with steer(bfloat_llama, affine, check=False):
        assert read(bfloat_llama).dtype == torch.bfloat16
        assert not torch.equal(read(bfloat_llama), before)
    assert same_bits(read(bfloat_llama), before)


def test_the_map_of_some_layers_steers_only_these(llama, affine):
    before = read(llama)
    with steer(llama, affine.only([1])):
        after = read(llama)
    assert same_bits(after[0], before[0])
    assert not torch.equal(after[1], before[1])
    with pytest.raises(InterventionError, match="choose among 0, 1"):
        affine.only([2])


@pytest.mark.parametrize("positions", ["last", 4])
@pytest.mark.parametrize("name", ["folder", "one.safetensors"])
def test_what_is_saved_is_loaded(affine, tmp_path, name, positions):
    saved = replace(affine, strength=0.5, positions=positions, keep_norm=True)
    loaded = AffineMap.from_pretrained(saved.save_pretrained(tmp_path / name))
    assert str(loaded) == str(saved)
    assert loaded.neurons == saved.neurons
    assert loaded.fingerprint == saved.fingerprint
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(loaded, column), getattr(saved, column))


@pytest.mark.parametrize(
    "change", [{"target": 1}, {"strength": 2.0}, {"layers": [0, 0]}, {"widths": [48]}, {"site": 3}]
)
def test_a_changed_header_is_not_loaded(affine, tmp_path, change):
    affine.save_pretrained(tmp_path)
    path = tmp_path / "affine_map.json"
    header = json.loads(path.read_text())
    for part in (header, header["map"]):
        part |= {name: value for name, value in change.items() if name in part}
    path.write_text(json.dumps(header))
    with pytest.raises(ArtefactError, match="not a complete affine map"):
        AffineMap.from_pretrained(tmp_path)


def test_a_map_is_told_in_a_line(affine):
    assert str(affine) == "Linear-AcT from en to de at strength 1, all positions: mlp.hook_post of layers 0, 1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strength": 1.5}, "from 0 to 1"),
        ({"positions": "first"}, "positions 'first'"),
        ({"keep_norm": 1}, "keep_norm is 1"),
        ({"slope": np.ones(95, np.float32)}, "expected 96 numbers"),
        ({"slope": np.full(96, np.inf, np.float32)}, "must be finite"),
        ({"kind": "quadratic"}, "kind 'quadratic'"),
    ],
)
def test_what_cannot_be_raises(affine, change, message):
    with pytest.raises(InterventionError, match=message):
        replace(affine, **change)


def test_a_map_of_another_model_is_refused(affine, model_of):
    other = model_of("qwen3")
    with pytest.raises(ArtefactError, match="Linear-AcT"), steer(other, affine):
        pass


def test_a_map_of_another_width_is_refused(llama, affine):
    narrow = replace(affine, neurons=NeuronTable((0,), (32,)), **{name: getattr(affine, name)[:32] for name in COLUMNS})
    with steer(llama, narrow), pytest.raises(InterventionError, match="has 48 neurons, the map 32"):
        llama(TOKENS)
