"""Experts from a list of one's own and from mask files: neurons, values, errors, and steering with them."""

import numpy as np
import pytest
import torch

from tests.experts.by_hand import QUIET, assert_same, pairs_of, select
from tests.steering.activations import read
from tl_experts import Experts, Reading, experts_from_list, experts_from_masks, find_experts, steer
from tl_experts.errors import CorpusError, InterventionError, SelectionError, SiteError

NEURONS = {"deu_Latn": [(1, 40, 2.5), (0, 3, -1)], "es": [(1, 0)], "ru": []}


def test_a_list_becomes_experts_in_its_order_with_its_values(llama):
    experts = experts_from_list(llama, NEURONS)
    assert experts.counts == {"de": 2, "es": 1, "ru": 0}
    assert pairs_of(experts, "de") == [(1, 40), (0, 3)]
    for name in ("mean", "median", "p90"):
        np.testing.assert_array_equal(experts.statistics[name], np.float32([2.5, -1, np.nan]))
    for name in ("auroc", "ap", "negative_mean"):
        assert np.isnan(experts.statistics[name]).all()
    experts.require_model(llama)
    assert repr(experts) == "Experts(own list by hand at mlp.hook_post; de: 2, es: 1, ru: 0)"


def test_listed_experts_are_saved_and_combined_with_found_ones(llama, corpus, tmp_path):
    experts = experts_from_list(llama, NEURONS)
    assert_same(Experts.from_pretrained(experts.save_pretrained(tmp_path / "own")), experts)
    found = find_experts(llama, corpus, k=3, **QUIET)
    assert (found | experts).counts["de"] == 3 + len({(1, 40), (0, 3)} - set(pairs_of(found, "de")))
    assert (experts - found).languages == experts.languages


def test_steering_holds_listed_neurons_at_their_values(llama):
    experts = experts_from_list(llama, NEURONS)
    with steer(llama, experts["de"]):
        held = read(llama)
    assert (held[1, :, :, 40] == 2.5).all()
    assert (held[0, :, :, 3] == -1).all()
    with steer(llama, experts["es"], operation="zero"):
        assert (read(llama)[1, :, :, 0] == 0).all()
    with steer(llama, experts["es"], value=[0.5]):
        assert (read(llama)[1, :, :, 0] == 0.5).all()


@pytest.mark.parametrize(
    ("options", "lacking"),
    [({}, "mean response"), ({"value": "p90"}, "p90"), ({"operation": "damp"}, "AUROC")],
    ids=str,
)
def test_steering_by_a_value_that_was_not_given_raises_an_error(options, lacking, model_of, evidence):
    experts = experts_from_list(model_of("llama"), {"ru": [(1, 0)]})
    with pytest.raises(InterventionError, match=f"needs the neurons' {lacking}.*with_statistics"):
        steer(model_of("llama"), experts, **options).__enter__()
    measured = experts.with_statistics(evidence.expertise)
    with steer(model_of("llama"), measured, **options):
        pass


def test_the_reading_says_which_neurons_there_are(llama):
    reading = Reading(site="mlp.hook_pre", pooling="mean", layers=[1])
    experts = experts_from_list(llama, {"es": [(1, 0)]}, reading=reading)
    assert (experts.site, experts.pooling, experts.candidates.layers) == ("mlp.hook_pre", "mean", (1,))
    with pytest.raises(SelectionError, match="es: layer is 0; choose among 1"):
        experts_from_list(llama, {"es": [(0, 0)]}, reading=reading)
    with pytest.raises(SiteError, match="0 to 1"):
        experts_from_list(llama, {"es": [(1, 0)]}, reading=Reading(layers=[2]))


@pytest.mark.parametrize(
    ("neurons", "message"),
    [
        ([(0, 1)], r"expected lists by language"),
        ({}, "expected lists by language"),
        ({"es": "01"}, "'01'; expected a list of"),
        ({"es": 5}, "es: 5; expected a list"),
        ({"es": [(1,)]}, r"\(1,\); expected \(layer, neuron\)"),
        ({"es": [(1, 2, 3, 4)]}, "expected"),
        ({"es": ["12"]}, "'12'; expected"),
        ({"es": [(1.0, 2)]}, "es: layer is 1.0; expected a whole number"),
        ({"es": [(1, True)]}, "es: neuron is True"),
        ({"es": [(2, 0)]}, "es: layer is 2; choose among 0, 1"),
        ({"es": [(-1, 0)]}, "layer is -1"),
        ({"es": [(0, 48)]}, "es: neuron is 48; layer 0 has neurons 0 to 47"),
        ({"es": [(0, -1)]}, "neuron is -1"),
        ({"es": [(0, 1, 2.0), (0, 1)]}, "neuron 1 of layer 0 is listed twice"),
        *(
            ({"es": [(0, 1, value)]}, "es: value is")
            for value in (float("nan"), np.inf, 1e39, 10**400, "1", None, True)
        ),
    ],
    ids=str,
)
def test_a_list_that_cannot_be_read_is_refused(neurons, message, model_of):
    with pytest.raises(SelectionError, match=message):
        experts_from_list(model_of("llama"), neurons)
    assert experts_from_list(model_of("llama"), {"es": np.array([[0, 47], [1, 47]])}).total == 2


def test_codes_of_a_list_are_checked(model_of):
    for neurons, message in (
        ({"klingon": []}, "not a language code"),
        ({"de": [], "deu": []}, "both the language 'de'"),
    ):
        with pytest.raises(CorpusError, match=message):
            experts_from_list(model_of("llama"), neurons)


def saved(tmp_path, masks):
    torch.save([[torch.tensor(layer, dtype=torch.int64) for layer in layers] for layers in masks], tmp_path / "m.pth")
    return tmp_path / "m.pth"


def test_a_mask_file_gives_back_the_experts_it_was_made_of(evidence, model_of, tmp_path):
    experts = select(evidence, k=6)
    masks = [[[neuron for at, neuron in pairs_of(experts, c) if at == layer] for layer in range(2)] for c in experts]
    again = experts_from_masks(saved(tmp_path, masks), model_of("llama"), experts.languages)
    assert {c: set(pairs_of(again, c)) for c in again} == {c: set(pairs_of(experts, c)) for c in experts}
    assert again.selection == "m.pth"
    measured = again.with_statistics(evidence.expertise, evidence.tokens)
    with steer(model_of("llama"), measured["ru"], operation="add", value="diffmean"):
        pass


@pytest.mark.parametrize(
    ("masks", "languages", "message"),
    [
        ([[[0], []]], ["de", "es"], "has 1 languages, and 2 were named: de, es.*leave it out"),
        ([[[0], []], [[1], []]], ["de"], "has 2 languages, and 1"),
        ([[[0], []], [[1], []]], ["de", "de"], "2 languages, and 2 were named: de, de"),
        ([[[0]]], ["de"], "has 1 layers for de, the model 2: it is of another model"),
        ([[[0], [48]]], ["de"], "de: neuron is 48; layer 1 has neurons 0 to 47"),
        ([[[0], [-1]]], ["de"], "neuron is -1"),
        ([[[3, 3], []]], ["de"], "listed twice"),
        ([[[0], []], [[1], []]], "de", "languages is 'de'; expected a list"),
    ],
    ids=str,
)
def test_masks_that_do_not_fit_the_model_or_the_languages_are_refused(masks, languages, message, model_of, tmp_path):
    path = saved(tmp_path, masks)
    with pytest.raises(SelectionError, match=message):
        experts_from_masks(path, model_of("llama"), languages)
    assert experts_from_masks(saved(tmp_path, [[[], [47]]]), model_of("llama"), ["de"]).total == 1
