"""Experts of the tiny model, and the model in 16 bits, in both model classes."""

import pytest
import torch

from tl_experts import Experts, find_experts, load_model
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER, TransformerBridge


@pytest.fixture(scope="module")
def experts(llama, corpus) -> Experts:
    return find_experts(llama, corpus, k=12, progress=False)


@pytest.fixture(scope="session", params=["hooked", "bridge"])
def bfloat_llama(request, checkpoint):
    path = checkpoint("llama")
    if request.param == "bridge":
        return TransformerBridge.boot_transformers(str(path), device="cpu", dtype=torch.bfloat16).eval()
    if not HAS_HOOKED_TRANSFORMER:
        pytest.skip("transformer-lens 4 has no HookedTransformer")
    return load_model(path, dtype="bfloat16")
