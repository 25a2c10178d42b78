"""Embeddings are means of Hugging Face's hidden states over a sentence's own tokens; retrieval and distances follow."""

import pytest
import torch

from tests.conftest import ARCHITECTURES, CONVERTED
from tl_experts import Batching, collect_responses, embed
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embeddings import embed_layers
from tl_experts.errors import CorpusError, ModelError, SiteError
from tl_experts.models import token_policy

QUIET = {"progress": False}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_embeddings_equal_hugging_faces_hidden_states(architecture, model_of, hugging_face, corpus):
    model, reference = model_of(architecture), hugging_face(architecture)
    policy = token_policy(model)
    found = embed_layers(model, corpus, [None, 0, 1, -1], **QUIET)
    for index, ids in enumerate(policy.encode(corpus.texts)):
        lead = [] if policy.bos is None else [policy.bos]
        with torch.inference_mode():
            body = reference.base_model(torch.tensor([[*lead, *ids]]), output_hidden_states=True)
        last = body.last_hidden_state[0, len(lead) :].mean(0)
        first = body.hidden_states[1][0, len(lead) :].mean(0)
        torch.testing.assert_close(found[None].vectors[index], last, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found[0].vectors[index], first, rtol=1e-4, atol=1e-4)
    assert torch.equal(found[1].vectors, found[-1].vectors)


@pytest.mark.parametrize("architecture", CONVERTED)
def test_both_model_classes_embed_alike(architecture, model_of, bridge_of, corpus):
    torch.testing.assert_close(
        embed(model_of(architecture), corpus, **QUIET).vectors,
        embed(bridge_of(architecture), corpus, **QUIET).vectors,
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("layer", [None, 0])
def test_batches_and_padding_do_not_matter(llama, corpus, side, layer):
    alone = embed(llama, corpus, layer=layer, batching=Batching(token_budget=1), **QUIET).vectors
    together = embed(llama, corpus, layer=layer, batching=Batching(padding_side=side), **QUIET).vectors
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_parallel_vectors_are_in_row_order(llama, corpus):
    found = embed(llama, corpus.take(reversed(range(len(corpus)))), **QUIET)
    rows = found.parallel(["de", "ja"])
    straight = embed(llama, corpus, **QUIET)
    torch.testing.assert_close(rows["ja"].flip(0), straight["ja"], rtol=1e-5, atol=1e-5)
    with pytest.raises(CorpusError, match="aligned text"):
        embed(llama, Corpus.from_texts({"en": ["one"], "de": ["eins"]}), **QUIET).parallel()


def test_a_layer_the_model_has_not_is_refused(llama, corpus):
    for layer in (2, -3):
        with pytest.raises(SiteError, match="layers 0 to 1"):
            embed(llama, corpus, layer=layer, **QUIET)


def test_what_is_no_corpus_no_model_or_no_layer_is_refused(llama, corpus):
    with pytest.raises(CorpusError, match=r"expected a Corpus, got list.*from_texts"):
        embed(llama, ["Good morning."])
    with pytest.raises(CorpusError, match="expected a Corpus, got list"):
        collect_responses(llama, ["Good morning."])
    with pytest.raises(ModelError, match="load_model"):
        embed("llama", corpus)
    with pytest.raises(SiteError, match="no layer"):
        embed_layers(llama, corpus, [])


def test_centred_vectors_have_the_mean_zero_in_each_language(llama, corpus):
    found = embed(llama, corpus, **QUIET)
    centred = found.centred()
    for language in corpus.languages:
        torch.testing.assert_close(centred[language], found[language] - found[language].mean(0))
    assert (centred.corpus, centred.layer) == (corpus, None)
