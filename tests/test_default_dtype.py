"""PyTorch's default dtype, which a program may have changed, decides no result."""

import pytest
import torch

from tl_experts import (
    collect_responses,
    collect_statistics,
    embed,
    find_experts,
    load_model,
    steer,
    store_embeddings,
    store_responses,
    top1_accuracy,
)
from tl_experts.steering.generation import generate_texts, text_perplexity

QUIET = {"progress": False}


@pytest.fixture
def default_dtype():
    """Sets the default dtype for one test."""
    before = torch.get_default_dtype()
    yield torch.set_default_dtype
    torch.set_default_dtype(before)


def results(folder, corpus, scratch) -> dict:
    """What every stage computes."""
    model = load_model(folder)
    experts = find_experts(model, corpus, k=5, **QUIET)
    lape = find_experts(model, corpus, k=1, scoring="lape", **QUIET)
    vectors = embed(model, corpus, layer=0, **QUIET).parallel()
    with steer(model, experts["de"]):
        steered = embed(model, corpus, **QUIET).vectors
        texts = generate_texts(model, 2, seed=0, max_new_tokens=4, **QUIET)
    return {
        "responses": collect_responses(model, corpus, **QUIET).values,
        "stored": store_responses(model, corpus, scratch / "store", **QUIET).responses().load().values,
        "experts": torch.tensor(experts.neuron),
        "mean": torch.tensor(experts.statistics["mean"]),
        "lape": torch.tensor(lape.neuron),
        "tokens": torch.from_numpy(collect_statistics(model, corpus, **QUIET).mean),
        "last": embed(model, corpus, **QUIET).vectors,
        "on disk": store_embeddings(model, corpus, scratch / "vectors", **QUIET)[None].vectors,
        "steered": steered,
        "retrieval": top1_accuracy(vectors["en"], vectors["de"]),
        "texts": texts,
        "perplexity": text_perplexity(model, corpus.texts[0], **QUIET),
        "kinds": {type(model).__name__, *(str(parameter.dtype) for parameter in model.parameters())},
    }


@pytest.fixture(scope="module")
def expected(checkpoint, corpus, tmp_path_factory):
    """Of a converted model and of a bridge."""
    return {name: results(checkpoint(name), corpus, tmp_path_factory.mktemp(name)) for name in ("llama", "cohere")}


@pytest.mark.parametrize("architecture", ["llama", "cohere"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_results_do_not_depend_on_the_default_dtype(
    architecture, dtype, expected, checkpoint, corpus, tmp_path, default_dtype
):
    default_dtype(dtype)
    found = results(checkpoint(architecture), corpus, tmp_path)
    for name, value in expected[architecture].items():
        if isinstance(value, torch.Tensor):
            assert found[name].dtype == value.dtype, name
            assert torch.equal(found[name], value), name
        else:
            assert found[name] == value, name
