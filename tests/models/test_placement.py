"""One model over several GPUs: the numbers of one device, everything where its layer is, bad placements refused.

No GPU is needed: see `tests.devices`.
"""

from collections.abc import Iterator

import pytest
import torch

from tests.devices import NAME, made_up_gpus
from tl_experts import Batching, Reading, collect_responses, embed, find_experts, load_model, steer
from tl_experts.errors import ModelError
from tl_experts.models import (
    Model,
    model_fingerprint,
    promoted_logits,
    read_scores,
    reading_cosines,
    written_directions,
)
from tl_experts.models.conversion import lay_out
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER
from tl_experts.models.placement import spread_blocks
from tl_experts.steering.generation import generate_texts, text_perplexity

QUIET = {"progress": False}
hooked = pytest.mark.skipif(not HAS_HOOKED_TRANSFORMER, reason="transformer-lens 4 has no HookedTransformer")


@pytest.fixture(params=["llama", "gpt2"])
def both(request: pytest.FixtureRequest, checkpoint) -> Iterator[tuple[Model, Model]]:
    """A model on the CPU, and the same over two devices."""
    one, two = (load_model(checkpoint(request.param)) for _ in range(2))
    with made_up_gpus():
        two.cfg.device = f"{NAME}:0"
        spread_blocks(two, 2)
        two.requires_grad_(False).eval()
        lay_out(two)
        yield one, two


@hooked
def test_the_blocks_are_shared_out(both):
    _, two = both
    places = [{str(parameter.device) for parameter in block.parameters()} for block in two.blocks]
    assert places == [{f"{NAME}:0"}, {f"{NAME}:1"}]
    assert (str(two.W_E.device), str(two.W_U.device)) == (f"{NAME}:0", f"{NAME}:1")
    assert str(two(torch.tensor([[0, 5, 6]])).device) == f"{NAME}:1"


@hooked
def test_two_devices_give_the_bits_of_one(both, corpus):
    one, two = both
    assert model_fingerprint(one) == model_fingerprint(two)
    for side in ("right", "left"):
        found = [
            collect_responses(model, corpus, reading=Reading(batching=Batching(padding_side=side)), **QUIET).values
            for model in both
        ]
        assert torch.equal(*found)
        found = [embed(model, corpus, batching=Batching(padding_side=side), **QUIET).vectors for model in both]
        assert torch.equal(*found)
    assert torch.equal(*[embed(model, corpus, layer=1, **QUIET).vectors for model in both])


@hooked
@pytest.mark.parametrize("options", [{}, {"operation": "add"}, {"positions": "last"}])
def test_values_follow_each_layer_to_its_device(both, corpus, options):
    experts = find_experts(both[0], corpus, k=20, **QUIET)["de"]
    assert set(experts.layer.tolist()) == {0, 1}
    vectors = []
    for model in both:
        before = embed(model, corpus, **QUIET).vectors
        with steer(model, experts, **options):
            vectors.append(embed(model, corpus, batching=Batching(padding_side="left"), **QUIET).vectors)
        assert torch.equal(embed(model, corpus, **QUIET).vectors, before)
        assert not torch.equal(vectors[-1], before)
    assert torch.equal(*vectors)


@hooked
def test_generation_and_perplexity_cross_the_devices(both, corpus):
    experts = find_experts(both[0], corpus, k=20, **QUIET)["ru"]
    found = []
    for model in both:
        with steer(model, experts):
            texts = generate_texts(model, 3, seed=1, max_new_tokens=8, **QUIET)
            found.append((texts, text_perplexity(model, " ".join(corpus.texts), window=32, stride=16, **QUIET)))
    assert found[0] == found[1]


@hooked
def test_weights_are_read_across_the_devices(both):
    found = []
    for model in both:
        directions = written_directions(model, 0, [1, 2])
        rows = promoted_logits(model, directions), read_scores(model, 1, [3]), reading_cosines(model, 1, directions)
        found.append([part.cpu() for part in rows])
    for mine, theirs in zip(*found, strict=True):
        assert torch.equal(mine, theirs)


def test_the_made_up_gpus_refuse_to_mix():
    with made_up_gpus():
        one, other = torch.ones(2, 2, device=f"{NAME}:0"), torch.ones(2, 2).to(f"{NAME}:1")
        assert torch.equal((one @ other.to(one.device)).cpu(), torch.full((2, 2), 2.0))
        with pytest.raises(RuntimeError, match=f"same device, found .*{NAME}:0.*{NAME}:1"):
            one @ other
        with pytest.raises(RuntimeError, match=f"same device, found .*cpu.*{NAME}:1"):
            torch.ones(2, 2) @ other


@hooked
def test_fewer_blocks_than_devices_are_refused(checkpoint):
    with pytest.raises(ModelError, match="2 blocks, too few for n_devices=3"):
        spread_blocks(load_model(checkpoint("llama")), 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_devices": 0}, "n_devices is 0; expected 1 or more"),
        ({"n_devices": 2, "device": "cpu"}, "not over device='cpu'"),
        ({"n_devices": 2}, "n_devices is 2, but this machine has 1 GPUs; lower it"),
        ({"n_devices": 2, "device_map": "auto"}, "leave out device and n_devices"),
        ({"device": "cpu", "device_map": {"": "cpu"}}, "leave out device and n_devices"),
        ({"device_map": "auto"}, "device_map='auto' needs GPUs, and this machine has none"),
        ({"device_map": "autp"}, "device_map 'autp'.*auto"),
        ({"device_map": {}}, "names no module"),
        ({"device_map": {"model": "cpu", "lm_head": "disk"}}, "mixes cpu, disk.*reach no hook"),
        ({"device_map": {"model.layers.0": "cpu", "lm_head": "cuda:0"}}, "mixes cpu, cuda:0"),
        ({"device_map": {"model.layers.0": "cpu"}}, "does not fit the model"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_placement_that_cannot_be_is_refused(options, message, checkpoint, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.is_available", lambda: "n_devices" in options)
    with pytest.raises(ModelError, match=message):
        load_model(checkpoint("llama"), **options)


@pytest.mark.parametrize("architecture", ["llama", "cohere"])
def test_a_device_map_gives_a_bridge_of_the_same_numbers(architecture, checkpoint, bridge_of, corpus):
    mapped = load_model(checkpoint(architecture), device_map={"": "cpu"})
    assert type(mapped).__name__ == "TransformerBridge"
    assert mapped.original_model.hf_device_map == {"": "cpu"}
    if architecture == "llama":
        assert torch.equal(
            *[collect_responses(model, corpus, **QUIET).values for model in (mapped, bridge_of("llama"))]
        )


@pytest.mark.parametrize("architecture", ["llama", "cohere"])
def test_hugging_faces_placement_gives_the_bits_of_one_device(architecture, checkpoint, corpus):
    modules = ["model.embed_tokens", "model.layers.0", "model.rotary_emb", "model.layers.1", "model.norm", "lm_head"]
    one = load_model(checkpoint(architecture), device_map={"": "cpu"})
    with made_up_gpus():
        places = {name: f"{NAME}:{place // 3}" for place, name in enumerate(modules)}
        if architecture == "cohere":  # its embedding and unembedding are one matrix
            places["lm_head"] = f"{NAME}:0"
        two = load_model(checkpoint(architecture), device_map=places)
        assert {str(parameter.device) for parameter in two.blocks[1].parameters()} == {f"{NAME}:1"}
        experts = find_experts(one, corpus, k=20, **QUIET)["de"]
        assert model_fingerprint(one) == model_fingerprint(two)
        found = []
        for model in (one, two):
            with steer(model, experts):
                found.append(
                    (
                        collect_responses(model, corpus, **QUIET).values,
                        embed(model, corpus, batching=Batching(padding_side="left"), **QUIET).vectors,
                        text_perplexity(model, " ".join(corpus.texts), window=32, stride=16, **QUIET),
                    )
                )
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])
    assert found[0][2] == found[1][2]
