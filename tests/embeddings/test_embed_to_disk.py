"""Embeddings on disk: one job, one intervention."""

from copy import deepcopy

import pytest
import torch

from tl_experts import (
    find_experts,
    load_model,
    steer,
    store_embeddings,
)
from tl_experts.embeddings.embeddings import embed_layers
from tl_experts.errors import ArtefactError, InterventionError

QUIET = {"progress": False}


def test_embeddings_of_another_intervention_are_another_job(checkpoint, corpus, tmp_path):
    model = load_model(str(checkpoint("llama")))
    experts = find_experts(model, corpus, k=5, **QUIET)[corpus.languages[0]]
    store_embeddings(model, corpus, tmp_path, **QUIET)
    with pytest.raises(ArtefactError, match="intervention is 'none' there and"):
        store_embeddings(model, corpus, tmp_path, experts=experts, **QUIET)
    with steer(model, experts), pytest.raises(InterventionError, match="Pass experts= instead"):
        store_embeddings(model, corpus, tmp_path / "other", **QUIET)
    assert not (tmp_path / "other").exists()


def test_a_copy_of_a_steered_model_embeds_once_the_block_ends(llama, corpus, tmp_path):
    experts = find_experts(llama, corpus, k=5, **QUIET)[corpus.languages[0]]
    with steer(llama, experts):
        copy = deepcopy(llama)
    store_embeddings(copy, corpus, tmp_path / "copy", **QUIET)
    copy.hook_dict["blocks.0.mlp.hook_post"].add_hook(lambda activation, hook: None)
    with pytest.raises(InterventionError, match=r"hook at 'blocks\.0\.mlp\..*reset_hooks"):
        store_embeddings(copy, corpus, tmp_path / "hooked", **QUIET)


def test_vectors_in_files_are_those_in_memory(llama, corpus, tmp_path):
    in_memory = embed_layers(llama, corpus, [0, None], **QUIET)
    on_disk = embed_layers(llama, corpus, [0, None], scratch=tmp_path, **QUIET)
    for layer, found in on_disk.items():
        assert torch.equal(found.vectors, in_memory[layer].vectors)
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(ArtefactError, match=r"layer-None.npy cannot be written"):
        embed_layers(llama, corpus, [None], scratch=tmp_path / "nowhere", **QUIET)


def test_pieces_of_another_cut_into_batches_are_another_job(llama, corpus, tmp_path, monkeypatch):
    store_embeddings(llama, corpus, tmp_path, **QUIET)
    monkeypatch.setattr("tl_experts.embeddings.embed_to_disk.CUT", 2)
    with pytest.raises(ArtefactError, match="batches is 3 there and 2 here; choose another folder"):
        store_embeddings(llama, corpus, tmp_path, **QUIET)
