"""Branches of a pass give the bits of passes from the start, and share what lies below their first hook."""

import pytest
import torch

from tl_experts.errors import SiteError
from tl_experts.models import Batching, attached, forward_batches, text_batches
from tl_experts.models.branches import Branch, first_layer, forward_branches
from tl_experts.models.lens import is_bridge

POINTS = ("blocks.0.hook_resid_post", "blocks.1.mlp.hook_post", "blocks.1.hook_resid_post")
HALVED = {
    "nothing": [],
    "layer 1": [("blocks.1.attn.hook_z", lambda z, hook: z / 2)],
    "both": [(f"blocks.{layer}.mlp.hook_post", lambda post, hook: post / 2) for layer in (1, 0)],
    "embedding": [("hook_embed", lambda x, hook: x / 2)],
}


def recorder(kept):
    """Readers of every point, and of the final state."""

    def readers(batch):
        return [(name, lambda x, hook: kept.append((hook.name, x.clone()))) for name in POINTS]

    return readers, lambda batch, state: kept.append(("final", state.clone()))


def shared(model, batches, **options):
    kept = {name: [] for name in HALVED}
    branches = [Branch(hooks, *recorder(kept[name])) for name, hooks in HALVED.items()]
    assert list(forward_branches(model, batches, branches, progress=False, **options)) == list(batches)
    return kept


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("last_layer", [None, 0])
def test_every_branch_reads_the_bits_of_a_pass_of_its_own(llama, corpus, side, last_layer):
    batches = text_batches(llama, corpus.texts, Batching(padding_side=side, token_budget=256))
    found = shared(llama, batches, last_layer=last_layer)
    for name, hooks in HALVED.items():
        expected = []
        readers, read_final = recorder(expected)
        list(
            forward_batches(
                llama,
                batches,
                readers,
                read_final=read_final,
                hooks=hooks,
                last_layer=last_layer,
                progress=False,
            )
        )
        assert [point for point, _ in found[name]] == [point for point, _ in expected]
        assert len(expected) >= len(batches)
        assert all(torch.equal(one, other) for (_, one), (_, other) in zip(found[name], expected, strict=True))


def test_layers_below_every_hook_run_once(llama, corpus):
    batches = text_batches(llama, corpus.texts[:2])
    calls = {0: 0, 1: 0}

    def count(layer):
        def counted(x, hook):
            calls[layer] += 1

        return (f"blocks.{layer}.hook_resid_pre", counted)

    branches = [Branch(HALVED[name], lambda batch: []) for name in ("layer 1", "layer 1", "nothing", "both")]
    with attached(llama, [count(0), count(1)]):
        list(forward_branches(llama, batches, branches, progress=False))
        assert calls == ({0: 4, 1: 4} if is_bridge(llama) else {0: 2, 1: 4})
        calls[0] = calls[1] = 0
        list(forward_branches(llama, batches, branches[:2], progress=False))
        assert calls == ({0: 2, 1: 2} if is_bridge(llama) else {0: 1, 1: 2})


def test_the_first_layer_is_that_of_the_lowest_hook(llama):
    expected = [0, 0, 0, 0] if is_bridge(llama) else [2, 1, 0, 0]
    assert [first_layer(llama, hooks) for hooks in HALVED.values()] == expected


def test_unknown_points_are_refused(llama, corpus):
    wrong = Branch([("blocks.1.hook_z", lambda x, hook: x)], lambda batch: [])
    with pytest.raises(SiteError, match="no hook"):
        list(forward_branches(llama, text_batches(llama, corpus.texts[:1]), [wrong], progress=False))
