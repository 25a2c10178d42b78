"""Embeddings are means of Hugging Face's hidden states over a sentence's own tokens; retrieval and distances follow."""

import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ARCHITECTURES, CONVERTED
from tl_experts import collect_responses, embed, top1_accuracy
from tl_experts.analysis.retrieval import top1_hits
from tl_experts.analysis.vectors import centre, mean_cosine_distance, normalise
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embeddings import embed_layers
from tl_experts.errors import ArtefactError, CorpusError, ModelError, SiteError, TLExpertsError
from tl_experts.models import token_policy

QUIET = {"progress": False}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_embeddings_equal_hugging_faces_hidden_states(architecture, model_of, hugging_face, corpus):
    model, reference = model_of(architecture), hugging_face(architecture)
    policy = token_policy(model)
    found = embed_layers(model, corpus, [None, 0, 1, -1], **QUIET)
    for index, ids in enumerate(policy.encode(corpus.texts)):
        lead = [] if policy.bos is None else [policy.bos]
        body = reference.base_model(torch.tensor([[*lead, *ids]]), output_hidden_states=True)
        last = body.last_hidden_state[0, len(lead) :].mean(0).detach()
        first = body.hidden_states[1][0, len(lead) :].mean(0).detach()
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
    alone = embed(llama, corpus, layer=layer, token_budget=1, **QUIET).vectors
    together = embed(llama, corpus, layer=layer, padding_side=side, **QUIET).vectors
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_parallel_vectors_are_in_row_order(llama, corpus):
    found = embed(llama, corpus.take(reversed(range(len(corpus)))), **QUIET)
    rows = found.parallel(["de", "ja"])
    straight = embed(llama, corpus, **QUIET)
    torch.testing.assert_close(rows["ja"].flip(0), straight["ja"], rtol=1e-5, atol=1e-5)
    with pytest.raises(CorpusError, match="aligned text"):
        embed(llama, Corpus.from_texts({"en": ["one"], "de": ["eins"]}), **QUIET).parallel()


def test_vectors_in_files_are_those_in_memory(llama, corpus, tmp_path):
    in_memory = embed_layers(llama, corpus, [0, None], **QUIET)
    on_disk = embed_layers(llama, corpus, [0, None], scratch=tmp_path, **QUIET)
    for layer, found in on_disk.items():
        assert torch.equal(found.vectors, in_memory[layer].vectors)
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(ArtefactError, match=r"layer-None.npy cannot be written"):
        embed(llama, corpus, scratch=tmp_path / "nowhere", **QUIET)


def test_a_layer_the_model_has_not_is_refused(llama, corpus):
    for layer in (2, -3):
        with pytest.raises(SiteError, match="layers 0 to 1"):
            embed(llama, corpus, layer=layer, **QUIET)


VECTORS = st.integers(2, 12).flatmap(
    lambda n: st.lists(st.lists(st.floats(-10, 10, width=32), min_size=4, max_size=4), min_size=n, max_size=n).map(
        torch.tensor
    )
)


@given(VECTORS, VECTORS)
def test_distance_equals_the_mean_over_all_pairs(a, b):
    pairs = 1 - normalise(a).double() @ normalise(b).double().T
    assert mean_cosine_distance(a, b) == pytest.approx(float(pairs.mean()), abs=1e-6)


def test_distance_is_unchanged_by_a_rotation_and_by_lengths():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 20, 8, generator=generator)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    assert mean_cosine_distance(3 * a @ rotation, b @ rotation) == pytest.approx(mean_cosine_distance(a, b), abs=1e-6)


def test_centring_removes_the_mean():
    vectors = torch.randn(9, 5) + 100
    torch.testing.assert_close(centre(vectors).mean(0), torch.zeros(5), atol=1e-4, rtol=0)


def test_retrieval_by_hand():
    queries = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    candidates = torch.tensor([[2.0, 0.1], [5.0, 0.0], [1.0, 0.9]])
    # cosines: row 0 -> candidate 1, row 1 -> candidate 2, row 2 -> candidate 2
    assert top1_hits(queries, candidates).tolist() == [False, False, True]
    assert top1_accuracy(queries, candidates) == pytest.approx(1 / 3)


def test_a_language_finds_itself_and_its_rotation_does_too():
    vectors = torch.randn(50, 16, generator=torch.Generator().manual_seed(2))
    rotation = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(3))).Q
    assert top1_accuracy(vectors, vectors) == 1.0
    assert top1_accuracy(vectors @ rotation, vectors @ rotation) == 1.0
    order = torch.randperm(50, generator=torch.Generator().manual_seed(4))
    assert top1_accuracy(vectors, vectors[order]) == float((order == torch.arange(50)).float().mean())


def test_retrieval_agrees_with_scikit_learns_nearest_neighbours():
    from sklearn.neighbors import NearestNeighbors

    a, b = torch.randn(2, 200, 12, generator=torch.Generator().manual_seed(5))
    b = a + 1.2 * b
    nearest = NearestNeighbors(n_neighbors=1, metric="cosine").fit(b.numpy()).kneighbors(a.numpy())[1][:, 0]
    assert top1_hits(a, b).tolist() == (nearest == range(200)).tolist()


def test_shapes_and_values_that_cannot_be_compared_are_refused():
    with pytest.raises(TLExpertsError, match=r"\(2, 3\).*\(2, 4\)"):
        # unwrapped: the test run's own shape check would answer first
        inspect.unwrap(top1_hits)(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(TLExpertsError, match="NaN"):
        top1_accuracy(torch.full((2, 3), float("nan")), torch.zeros(2, 3))
    with pytest.raises(TLExpertsError, match="at least one row"):
        top1_accuracy(torch.zeros(0, 3), torch.zeros(0, 3))


def test_what_is_no_corpus_no_model_or_no_layer_is_refused(llama, corpus):
    with pytest.raises(CorpusError, match=r"expected a Corpus, got list.*from_texts"):
        embed(llama, ["Good morning."])
    with pytest.raises(CorpusError, match="expected a Corpus, got list"):
        collect_responses(llama, ["Good morning."])
    with pytest.raises(ModelError, match="load_model"):
        embed("llama", corpus)
    with pytest.raises(SiteError, match="no layer"):
        embed_layers(llama, corpus, [])
