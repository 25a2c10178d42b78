"""`Encoder`: the vectors of `embed`, as sentence-transformers and mteb ask for them."""

import sys
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.conftest import TEXTS
from tl_experts import Batching, Encoder, Steering, embed, find_experts, steer
from tl_experts.corpus.sentences import Corpus

ENGLISH = TEXTS["en"]


@pytest.fixture(scope="module")
def steering(model_of, corpus):
    return Steering(find_experts(model_of("llama"), corpus, k=6, progress=False)["de"])


def reference(model, texts=tuple(ENGLISH), **options):
    return embed(model, Corpus.from_texts({"en": list(texts)}), progress=False, **options).vectors


@pytest.mark.parametrize("layer", [None, 0, -1])
def test_a_vector_is_that_of_embed(llama, layer):
    found = Encoder(llama, layer=layer).encode(ENGLISH)
    np.testing.assert_array_equal(found, reference(llama, layer=layer).numpy())
    assert Encoder(llama, layer=layer).get_sentence_embedding_dimension() == found.shape[1]


def test_steered_and_centred(llama, corpus):
    experts = find_experts(llama, corpus, k=6, progress=False)["de"]
    with steer(llama, experts):
        expected = reference(llama)
    assert not torch.equal(expected, reference(llama))
    for steering in (experts, Steering(experts), [Steering(experts)]):
        np.testing.assert_array_equal(Encoder(llama, steering=steering).encode(ENGLISH), expected.numpy())
    centred = Encoder(llama, steering=experts, centred=True).encode(ENGLISH)
    np.testing.assert_allclose(centred, expected - expected.mean(0), atol=1e-6)
    assert torch.equal(reference(llama), reference(llama))  # the model is as it was


def test_the_forms_of_input_and_output_of_sentence_transformers(model_of):
    encoder = Encoder(model_of("llama"))
    whole = encoder.encode(ENGLISH)
    np.testing.assert_allclose(encoder.encode(ENGLISH[0]), whole[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(encoder.encode(np.array(ENGLISH)), whole)
    assert torch.equal(encoder.encode(tuple(ENGLISH), convert_to_tensor=True), torch.from_numpy(whole))
    as_list = encoder.encode(ENGLISH, convert_to_numpy=False, batch_size=2)
    assert torch.equal(torch.stack(as_list), torch.from_numpy(whole))
    unit = encoder.encode(ENGLISH, normalize_embeddings=True)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)
    prompted = encoder.encode(ENGLISH, prompt="query: ")
    np.testing.assert_array_equal(prompted, encoder.encode([f"query: {text}" for text in ENGLISH]))


def test_the_protocol_of_mteb(model_of):
    """Batches of dictionaries, the task's arguments, similarities, and every member that its protocol asks for."""
    encoder = Encoder(model_of("llama"), layer=1)
    rows = [{"text": text, "id": number} for number, text in enumerate(ENGLISH)]
    told = {"task_metadata": SimpleNamespace(name="A"), "hf_split": "test", "hf_subset": "eng-deu", "prompt_type": None}
    found = encoder.encode(DataLoader(rows, batch_size=4), **told, batch_size=4, show_progress_bar=False)
    np.testing.assert_array_equal(found, encoder.encode(ENGLISH))
    assert {"encode", "similarity", "similarity_pairwise", "mteb_model_meta"} <= set(dir(encoder))
    other = encoder.encode(TEXTS["de"], convert_to_tensor=True)
    cosines = torch.nn.functional.cosine_similarity(torch.from_numpy(found)[:, None], other[None], dim=-1)
    torch.testing.assert_close(encoder.similarity(found, other), cosines)
    torch.testing.assert_close(encoder.similarity(found[0], other), cosines[:1])
    torch.testing.assert_close(encoder.similarity_pairwise(found, other), cosines.diagonal())


def test_what_mteb_is_told(model_of, steering, monkeypatch):
    class ModelMeta(SimpleNamespace):
        model_fields: ClassVar = {
            name: SimpleNamespace(is_required=lambda name=name: name != "reference")
            for name in ("name", "revision", "embed_dim", "release_date", "similarity_fn_name", "reference")
        }

    model = model_of("llama")
    monkeypatch.setattr("tl_experts.embeddings.encoder.find_spec", lambda name: None)
    assert Encoder(model).mteb_model_meta is None
    monkeypatch.setattr("tl_experts.embeddings.encoder.find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "mteb", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "mteb.models", SimpleNamespace(ModelMeta=ModelMeta))
    encoder = Encoder(model, layer=0, steering=steering, centred=True)
    assert vars(encoder.mteb_model_meta) == {
        "name": encoder.name,
        "revision": encoder.revision,
        "embed_dim": 32,
        "release_date": None,
        "similarity_fn_name": "cosine",
    }
    assert encoder.name.startswith("tl-experts/")
    assert encoder.name.endswith("-layer-0-steered-centred")
    assert Encoder(model, name="me/mine").name == "me/mine"


def test_a_revision_belongs_to_one_way_to_make_vectors(model_of, steering):
    model = model_of("llama")
    ways = [
        {},
        {"layer": 0},
        {"centred": True},
        {"steering": steering},
        {"steering": Steering(steering.experts, "zero")},
        {"batching": Batching()},
    ]
    revisions = [Encoder(model, **way).revision for way in ways]
    assert len(set(revisions)) == len(ways)
    assert revisions == [Encoder(model, **way).revision for way in ways]
    assert Encoder(model_of("qwen3")).revision not in revisions
