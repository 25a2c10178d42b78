"""Models load without processing, compute what Hugging Face computes, and refuse what has no language neurons."""

import pytest
import torch

from tests.conftest import ARCHITECTURES, CONVERTED
from tl_experts.models import hook_name
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER

TOKENS = torch.randint(3, 300, (3, 40), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_equal_hugging_face(architecture, model_of, hugging_face):
    with torch.inference_mode():
        ours = model_of(architecture)(TOKENS)
        theirs = hugging_face(architecture)(TOKENS).logits
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max().clamp(min=1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_class_is_hooked_transformer_wherever_it_converts(architecture, model_of):
    expected = "HookedTransformer" if architecture in CONVERTED and HAS_HOOKED_TRANSFORMER else "TransformerBridge"
    assert type(model_of(architecture)).__name__ == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_hook_post_is_what_enters_hugging_faces_down_projection(architecture, model_of, hugging_face):
    model, reference = model_of(architecture), hugging_face(architecture)
    seen = {}

    def note(layer):
        return lambda _module, args: seen.__setitem__(layer, args[0])

    names = ("down_proj", "dense_4h_to_h", "c_proj")
    downs = [m for n, m in reference.named_modules() if n.split(".")[-1] in names and "attn" not in n]
    handles = [down.register_forward_pre_hook(note(layer)) for layer, down in enumerate(downs)]
    try:
        with torch.inference_mode():
            reference(TOKENS)
            _, cache = model.run_with_cache(TOKENS)
    finally:
        for handle in handles:
            handle.remove()
    assert len(seen) == 2
    for layer, expected in seen.items():
        actual = cache[hook_name(layer, "mlp.hook_post")]
        assert actual.shape == expected.shape
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
