"""A subspace swap replaces the language-subspace part by the target's mean and leaves the orthogonal part alone."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.steering.activations import PADDED, TOKENS, read, same_bits
from tl_experts import Reading, collect_statistics, embed, intervention_hooks, steer
from tl_experts.analysis.subspace import coordinates, language_subspace, project_out
from tl_experts.errors import ArtefactError, InterventionError, ResponseError, TLExpertsError
from tl_experts.steering.subspaces import SubspaceSwap, language_swap

RESIDUAL = "hook_resid_post"


@pytest.fixture(scope="module")
def statistics(llama, corpus):
    return collect_statistics(llama, corpus, reading=Reading(site=RESIDUAL), progress=False)


@pytest.fixture(scope="module")
def swap(statistics) -> SubspaceSwap:
    return language_swap(statistics, "de")


def space_of(statistics, layer, rank=None):
    means = statistics.mean[:, statistics.neurons.span(layer)]
    return language_subspace({code: means[[row]] for row, code in enumerate(statistics.languages)}, rank=rank), means


@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("strength", [1.0, 0.25])
def test_the_part_in_the_subspace_becomes_the_targets_mean(llama, statistics, rank, strength):
    swap = replace(language_swap(statistics, "de", layers=[0], rank=rank), strength=strength)
    space, means = space_of(statistics, 0, rank)
    before = read(llama, site=RESIDUAL)[0].flatten(0, 1)
    with steer(llama, swap):
        after = read(llama, site=RESIDUAL)[0].flatten(0, 1)
    torch.testing.assert_close(project_out(after, space), project_out(before, space), rtol=1e-4, atol=1e-4)
    goal = coordinates(torch.tensor(means[[statistics.row("de")]]), space)
    wanted = strength * goal + (1 - strength) * coordinates(before, space)
    torch.testing.assert_close(coordinates(after, space), wanted, rtol=1e-4, atol=1e-4)
    assert len(swap.basis) == (rank or 3)


def test_at_strength_1_it_does_nothing_more_the_second_time(llama, statistics):
    swap = language_swap(statistics, "ja", layers=[0])
    with steer(llama, swap):
        once = read(llama, site=RESIDUAL)[0]
    with steer(llama, [swap, swap]):
        torch.testing.assert_close(read(llama, site=RESIDUAL)[0], once, rtol=1e-5, atol=1e-5)


def test_padding_is_left_alone_and_leaving_restores_every_bit(llama, swap):
    before = read(llama, PADDED, site=RESIDUAL)
    with steer(llama, swap):
        after = read(llama, PADDED, site=RESIDUAL)
    assert torch.equal((after[0] != before[0]).any(-1), PADDED != 2)
    assert same_bits(read(llama, PADDED, site=RESIDUAL), before)
    with steer(llama, replace(swap, strength=0)):
        assert same_bits(read(llama, PADDED, site=RESIDUAL), before)


def test_last_and_keep_norm(llama, swap):
    before = read(llama, site=RESIDUAL)[0]
    with steer(llama, replace(swap, positions="last", keep_norm=True)):
        after = read(llama, site=RESIDUAL)[0]
    assert same_bits(after[:, :-1], before[:, :-1])
    assert not torch.equal(after[:, -1], before[:, -1])
    torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1), rtol=1e-5, atol=0)


def test_it_works_with_embed_generate_and_run_with_cache(llama, swap, corpus):
    few = corpus.only(["en"])
    options = {"max_new_tokens": 3, "do_sample": False, "stop_at_eos": False, "verbose": False}
    with torch.inference_mode(), steer(llama, swap):
        inside = embed(llama, few, progress=False).vectors
        _, cache = llama.run_with_cache(TOKENS)
        assert torch.equal(cache[f"blocks.0.{RESIDUAL}"], read(llama, site=RESIDUAL)[0])
        cached = llama.generate(TOKENS[:1], **options)
        assert torch.equal(cached, llama.generate(TOKENS[:1], use_past_kv_cache=False, **options))
    torch.testing.assert_close(embed(llama, few, hooks=intervention_hooks(swap), progress=False).vectors, inside)
    assert not torch.equal(embed(llama, few, progress=False).vectors, inside)


def test_it_works_in_16_bits(bfloat_llama, swap):
    before = read(bfloat_llama, site=RESIDUAL)
    with steer(bfloat_llama, swap, check=False):
        assert read(bfloat_llama, site=RESIDUAL).dtype == torch.bfloat16
        assert not torch.equal(read(bfloat_llama, site=RESIDUAL), before)
    assert same_bits(read(bfloat_llama, site=RESIDUAL), before)


@pytest.mark.parametrize("positions", ["last", 4])
@pytest.mark.parametrize("name", ["folder", "one.safetensors"])
def test_what_is_saved_is_loaded(swap, tmp_path, name, positions):
    saved = replace(swap.only([1]), strength=0.5, positions=positions, keep_norm=True)
    loaded = SubspaceSwap.from_pretrained(saved.save_pretrained(tmp_path / name))
    assert str(loaded) == str(saved)
    assert (loaded.neurons, loaded.fingerprint) == (saved.neurons, saved.fingerprint)
    np.testing.assert_array_equal(loaded.basis, saved.basis)
    np.testing.assert_array_equal(loaded.goal, saved.goal)


def test_it_is_told_in_a_line(swap):
    assert str(replace(swap, strength=0.5)) == (
        "language subspace (3 dimensions of en, de, ru, ja) set to de at strength 0.5, all positions: hook_resid_post "
        "of layers 0, 1"
    )


@pytest.mark.parametrize("change", [{"target": 1}, {"strength": 2.0}, {"layers": [0, 0]}, {"languages": [1]}])
def test_a_changed_header_is_not_loaded(swap, tmp_path, change):
    swap.save_pretrained(tmp_path)
    path = tmp_path / "subspace_swap.json"
    header = json.loads(path.read_text())
    for part in (header, header["swap"]):
        part |= {name: value for name, value in change.items() if name in part}
    path.write_text(json.dumps(header))
    with pytest.raises(ArtefactError, match="not a complete subspace swap"):
        SubspaceSwap.from_pretrained(tmp_path)


def test_what_cannot_be_raises(llama, swap, statistics, model_of, unchecked):
    for change, message in (
        ({"strength": 1.5}, "a subspace swap takes a number from 0 to 1"),
        ({"positions": "first"}, "positions 'first'"),
        ({"keep_norm": 1}, "keep_norm is 1"),
        ({"site": "resid"}, "site 'resid'"),
        ({"basis": 2 * swap.basis}, "layer 0 is not orthonormal"),
        ({"goal": swap.goal[:1]}, r"goal is float32 \(1, 3\); expected finite float32 \(2, 3\)"),
    ):
        with pytest.raises(InterventionError, match=message):
            replace(swap, **change)
    with pytest.raises(InterventionError, match="choose among 0, 1"):
        language_swap(statistics, "de", layers=[2])
    with pytest.raises(ResponseError, match="'fr' was not counted"):
        language_swap(statistics, "fr")
    with pytest.raises(TLExpertsError, match="give 1 to 3"):
        language_swap(statistics, "de", rank=4)
    with pytest.raises(ArtefactError, match="the language subspace"), steer(model_of("qwen3"), swap):
        pass
    elsewhere = replace(swap, site="mlp.hook_post")
    with steer(llama, elsewhere), pytest.raises(InterventionError, match="has 48 neurons, the subspace 32"):
        llama(TOKENS)
