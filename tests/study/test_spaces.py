"""Spaces of settings are what `embed` reads inside `steer`; hits by hand."""

import pytest
import torch

from tl_experts import collect_both, embed, steer
from tl_experts.steering.tuning.building import builder
from tl_experts.steering.tuning.space import Setting
from tl_experts.study import spaces as module
from tl_experts.study.spaces import every_layer, hits_of, layer_name, mean_hits, setting_spaces, spaces_read

SETTINGS = [None, Setting("auroc", 5), Setting("all", None), Setting("auroc", 5)]


@pytest.mark.parametrize("together", [2**28, 1])
def test_each_different_setting_is_read_once_as_embed_reads_it(model_of, corpus, monkeypatch, together):
    monkeypatch.setattr(module, "TOGETHER", together)
    model = model_of("llama")
    building = builder(collect_both(model, corpus, progress=False), "de")
    found = list(setting_spaces(model, building, SETTINGS, corpus, [0, None]))
    assert [setting for setting, _ in found] == SETTINGS[:3]
    plain = embed(model, corpus, progress=False).parallel()
    with steer(model, building.build(SETTINGS[1])):
        steered = embed(model, corpus, layer=0, progress=False).parallel()
    for language in corpus.languages:
        assert torch.equal(found[0][1][None][language], plain[language])
        assert torch.equal(found[1][1][0][language], steered[language])


def test_each_read_has_the_vectors_of_its_setting_at_its_layer(model_of, corpus):
    model = model_of("llama")
    building = builder(collect_both(model, corpus, progress=False), "de")
    reads = {"a": (SETTINGS[1], 0), "b": (None, None), "c": (SETTINGS[1], None), "d": (None, 0)}
    found = dict(spaces_read(model, building, reads, corpus))
    assert found.keys() == reads.keys()
    for setting, spaces in setting_spaces(model, building, SETTINGS[:2], corpus, [0, None]):
        for key in [key for key, (own, _) in reads.items() if own == setting]:
            for language in corpus.languages:
                assert torch.equal(found[key][language], spaces[reads[key][1]][language])


def test_a_setting_whose_last_state_is_not_read_stops_at_its_last_layer(model_of, corpus, monkeypatch):
    model = model_of("llama")
    building = builder(collect_both(model, corpus, progress=False), "de")
    asked = []

    def noted(model, building, settings, corpus, layers):
        asked.append((settings, list(layers)))
        return setting_spaces(model, building, settings, corpus, layers)

    monkeypatch.setattr(module, "setting_spaces", noted)
    reads = {"a": (SETTINGS[1], 0), "b": (None, None), "c": (None, 1), "d": (SETTINGS[2], 1)}
    found = dict(spaces_read(model, building, reads, corpus))
    assert asked == [([None, None], [1, None]), ([SETTINGS[1], SETTINGS[2]], [0, 1])]
    with steer(model, building.build(SETTINGS[2])):
        expected = embed(model, corpus, layer=1, progress=False).parallel()
    for language in corpus.languages:
        assert torch.equal(found["d"][language], expected[language])


def test_a_layer_in_a_table():
    assert [layer_name(0), layer_name(None)] == ["0", "last"]


def test_all_layers_are_the_blocks_and_the_last_state(model_of):
    model = model_of("llama")
    assert every_layer(model) == [*range(model.cfg.n_layers), None]


def test_hits_by_hand():
    english = torch.eye(3)
    # Row 0 finds its translation; rows 1 and 2 are exchanged.
    german = english[[0, 2, 1]]
    assert hits_of({"en": english, "de": german}, centred=False).tolist() == [1, 0, 0]
    # A language that is shifted as a whole finds its translations when it is centred.
    far = english + torch.tensor([100.0, -50.0, 3.0])
    assert hits_of({"en": english, "de": far}, centred=False).mean() < 1
    assert hits_of({"en": english, "de": far}, centred=True).tolist() == [1, 1, 1]


def test_only_the_nearest_is_a_hit():
    assert mean_hits([torch.tensor([0, 1, 2]), torch.tensor([0, 0, 1])]).tolist() == [1, 0.5, 0]
