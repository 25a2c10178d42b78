"""A bridge computes what Hugging Face does at every position, or raises an error that says why there is none."""

from copy import deepcopy

import pytest
import torch
from transformers import AutoTokenizer, CTRLConfig, CTRLLMHeadModel

from tests.conftest import ARCHITECTURES
from tl_experts.errors import ModelError
from tl_experts.models.bridge import boot_bridge, first_line

TOKENS = torch.randint(3, 300, (2, 12), generator=torch.Generator().manual_seed(0))


def bridge_from(hf_model, folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    return boot_bridge(deepcopy(hf_model), tokenizer, "tiny", str(folder), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_hidden_states_equal_hugging_faces_at_every_position(architecture, checkpoint, hugging_face):
    reference = hugging_face(architecture)
    bridge = bridge_from(reference, checkpoint(architecture))
    assert bridge.cfg.model_name == "tiny"
    assert not bridge.training
    with torch.inference_mode():
        expected = reference(TOKENS, output_hidden_states=True)
        logits, cache = bridge.run_with_cache(TOKENS)
    torch.testing.assert_close(logits, expected.logits, rtol=1e-4, atol=1e-4)
    # Of the last layer, Hugging Face gives the state after the final norm.
    torch.testing.assert_close(cache["blocks.0.hook_resid_post"], expected.hidden_states[1], rtol=1e-4, atol=1e-4)


def test_a_model_that_cannot_be_wrapped_raises_an_error_that_names_its_class(checkpoint):
    small = CTRLConfig(vocab_size=50, n_embd=8, dff=8, n_layer=1, n_head=2)
    with pytest.raises(ModelError, match=r"tiny.*CTRLLMHeadModel"):
        bridge_from(CTRLLMHeadModel(small), checkpoint("llama"))


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("\n  padded  \n"), "padded"),
        (ValueError(""), "ValueError"),
        (ValueError("x" * 1000), "x" * 300),
    ],
    ids=["two lines", "blank lines", "no message", "long"],
)
def test_an_error_is_quoted_by_its_first_line(error, line):
    assert first_line(error) == line
