"""The forward loop runs no layer in vain and leaves nothing on the model."""

import torch

from tl_experts import Reading, collect_responses
from tl_experts.models import attached, site_widths
from tl_experts.models.forward import forward_logits, position_logits

QUIET = {"progress": False}


def test_the_pass_stops_behind_the_last_hook_that_reads(llama, corpus):
    reached = []
    site_widths(llama, "mlp.hook_post")  # the look at the widths, once for each model, runs all layers
    names = [f"blocks.{layer}.{site}" for layer in (0, 1) for site in ("mlp.hook_post", "hook_resid_post")]
    watched = [(name, lambda tensor, hook: reached.append(hook.name)) for name in names]
    unembedding = llama.unembed.register_forward_hook(lambda *_: reached.append("unembed"))
    try:
        with attached(llama, watched):
            collect_responses(llama, corpus.head(1), reading=Reading(layers=[0]), **QUIET)
            first = len(reached)
            collect_responses(llama, corpus.head(1), **QUIET)
    finally:
        unembedding.remove()
    # What a block writes behind the last hook (the MLP's output matrix) is not computed.
    assert (first, len(reached)) == (1, 1 + 3)


def test_nothing_is_left_on_the_model(llama, corpus):
    tokens = torch.tensor([[0, 5, 6, 7]])
    with torch.inference_mode():
        before = llama(tokens)
        collect_responses(llama, corpus.head(1), **QUIET)
        assert torch.equal(llama(tokens), before)
    assert all(not point.fwd_hooks for point in llama.hook_dict.values())


def test_only_the_wanted_positions_are_unembedded(llama):
    tokens = torch.tensor([[0, 5, 6, 7], [0, 8, 9, 3]])
    positions = torch.tensor([[False, True, False, True], [True, False, False, False]])
    whole = forward_logits(llama, tokens)
    seen = []
    handle = llama.unembed.register_forward_hook(lambda _module, _args, output: seen.append(output.shape[:2]))
    try:
        found = position_logits(llama, tokens, positions)
        assert torch.equal(forward_logits(llama, tokens), whole)
    finally:
        handle.remove()
    torch.testing.assert_close(found, whole[positions], atol=1e-5, rtol=0)
    assert seen == [(1, 3), (2, 4)]
