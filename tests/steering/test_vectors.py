"""Language vectors are differences of mean residuals; what is built on means over tokens follows its formula."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.steering.activations import PADDED, read, same_bits
from tl_experts import Reading, collect_statistics, steer
from tl_experts.errors import InterventionError, ResponseError
from tl_experts.steering.affine import AffineMap
from tl_experts.steering.vectors import language_dimensions, language_vector

RESIDUAL = "hook_resid_post"


@pytest.fixture(scope="module")
def statistics(llama, corpus):
    return collect_statistics(llama, corpus, reading=Reading(site=RESIDUAL), progress=False)


@pytest.fixture(scope="module")
def of_neurons(llama, corpus):
    return collect_statistics(llama, corpus, progress=False)


def cached_tokens(model, corpus, languages, site=RESIDUAL) -> torch.Tensor:
    """All tokens of some languages as run_with_cache shows them, BOS left out: ``[layer token width]``."""
    rows = []
    for label, text in corpus:
        if label in languages:
            ids = model.tokenizer(text, add_special_tokens=False)["input_ids"]
            with torch.inference_mode():
                _, cache = model.run_with_cache(torch.tensor([[model.tokenizer.bos_token_id, *ids]]))
            rows.append(torch.stack([cache[f"blocks.{layer}.{site}"][0, 1:] for layer in range(2)]))
    return torch.cat(rows, dim=1)


@pytest.mark.parametrize("source", ["en", None])
def test_a_language_vector_is_the_difference_of_mean_residuals(llama, corpus, statistics, source):
    others = {"en"} if source else {"en", "ru", "ja"}
    target, rest = (cached_tokens(llama, corpus, codes).mean(dim=1) for codes in ({"de"}, others))
    vector = language_vector(statistics, "de", source=source)
    found = torch.tensor(vector.intercept).view(2, 32)
    torch.testing.assert_close(found, target - rest, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strength", [1.0, -2.5])
def test_it_is_added_times_the_strength_at_every_token(llama, statistics, strength):
    vector = language_vector(statistics, "de", layers=[0])
    before = read(llama, site=RESIDUAL)
    with steer(llama, replace(vector, strength=strength)):
        after = read(llama, site=RESIDUAL)
    expected = before[0] + strength * torch.tensor(vector.intercept)
    torch.testing.assert_close(after[0], expected, rtol=1e-5, atol=1e-5)
    assert not torch.equal(after[1], before[1])


def test_a_unit_vector_has_length_1_at_each_layer_and_the_same_direction(statistics):
    raw, unit = (language_vector(statistics, "de", unit=unit).intercept.reshape(2, 32) for unit in (False, True))
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(unit * np.linalg.norm(raw, axis=1, keepdims=True), raw, rtol=1e-5)


def test_padding_is_left_alone_and_leaving_restores_every_bit(llama, statistics):
    vector = language_vector(statistics, "de", layers=[0])
    before = read(llama, PADDED, site=RESIDUAL)
    with steer(llama, vector):
        after = read(llama, PADDED, site=RESIDUAL)
    assert torch.equal((after[0] != before[0]).any(-1), PADDED != 2)
    assert same_bits(read(llama, PADDED, site=RESIDUAL), before)


def test_statistics_of_neurons_shift_every_neuron_by_its_difference_of_means(llama, corpus, of_neurons):
    german_less_english = replace(language_vector(of_neurons, "de", source="en"), strength=0.5)
    target, rest = (cached_tokens(llama, corpus, {code}, "mlp.hook_post").mean(dim=1) for code in ("de", "en"))
    before = read(llama)[0]
    with steer(llama, german_less_english):
        after = read(llama)[0]
    torch.testing.assert_close(after, before + 0.5 * (target - rest)[0], rtol=1e-4, atol=1e-5)


def test_a_vector_is_saved_and_told_in_a_line(statistics, tmp_path):
    vector = replace(language_vector(statistics, "de", source="en", layers=[1]), strength=5.0)
    assert str(vector) == "language vector from en to de at strength 5, all positions: hook_resid_post of layers 1"
    loaded = AffineMap.from_pretrained(vector.save_pretrained(tmp_path))
    np.testing.assert_array_equal(loaded.intercept, vector.intercept)


def test_language_dimensions_are_overwritten_and_the_norm_restored(llama, statistics):
    found = language_dimensions(statistics, "de", source="en", layer=0, count=5, coefficient=0.5)
    mean = torch.tensor(statistics.mean[statistics.row("de")]).float().view(2, 32)
    english = torch.tensor(statistics.mean[statistics.row("en")]).float().view(2, 32)
    chosen = (mean[1] - english[1]).abs().topk(5).indices
    before = read(llama, site=RESIDUAL)[0]
    with steer(llama, found):
        after = read(llama, site=RESIDUAL)[0]
    expected = before.clone()
    expected[..., chosen] = 0.5 * mean[0, chosen]
    expected *= before.norm(dim=-1, keepdim=True) / expected.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1), rtol=1e-5, atol=0)


def test_a_vector_steers_in_16_bits(bfloat_llama, statistics):
    before = read(bfloat_llama, site=RESIDUAL)
    with steer(bfloat_llama, language_vector(statistics, "de"), check=False):
        assert read(bfloat_llama, site=RESIDUAL).dtype == torch.bfloat16
        assert not torch.equal(read(bfloat_llama, site=RESIDUAL), before)
    assert same_bits(read(bfloat_llama, site=RESIDUAL), before)


def test_what_cannot_be_raises(statistics, of_neurons):
    with pytest.raises(InterventionError, match="both de"):
        language_vector(statistics, "de", source="de")
    with pytest.raises(ResponseError, match="'fr' was not counted"):
        language_vector(statistics, "fr")
    with pytest.raises(InterventionError, match="choose among 0, 1"):
        language_vector(statistics, "de", layers=[2])
    with pytest.raises(InterventionError, match="expected statistics of 'hook_resid_post'"):
        language_dimensions(of_neurons, "de", layer=0, count=5)
    with pytest.raises(InterventionError, match="expected 1 to 32 dimensions"):
        language_dimensions(statistics, "de", layer=0)
