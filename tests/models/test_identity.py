"""The fingerprint identifies weights and tokenizer, whatever the class or the dtype."""

import pytest
import torch

from tests.conftest import ARCHITECTURES, CONVERTED
from tl_experts import load_model
from tl_experts.models import model_fingerprint
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER


@pytest.mark.parametrize("architecture", CONVERTED)
def test_fingerprint_is_the_same_for_both_classes_and_any_dtype(architecture, model_of, bridge_of, checkpoint):
    expected = model_fingerprint(model_of(architecture))
    assert model_fingerprint(bridge_of(architecture)) == expected
    assert model_fingerprint(load_model(checkpoint(architecture), dtype="bfloat16")) == expected


def test_fingerprints_of_different_models_differ(model_of):
    prints = [model_fingerprint(model_of(architecture)) for architecture in ARCHITECTURES]
    assert len({p["weights"] for p in prints}) == len(prints)
    assert len({p["tokenizer"] for p in prints}) == 1


@pytest.mark.parametrize("part", ["mlp.W_in", "mlp.W_out", "attn.W_Q"])
def test_fingerprint_changes_with_the_weights(part, checkpoint):
    model = load_model(checkpoint("llama"))
    if not hasattr(model.blocks[1].mlp, "W_in") or not HAS_HOOKED_TRANSFORMER:
        pytest.skip("parameters are named otherwise under transformer-lens 4")
    before = model_fingerprint(model)
    owner, name = part.split(".")
    module = getattr(model.blocks[1], owner)
    with torch.no_grad():
        getattr(module, name).mul_(1.5)
    assert model_fingerprint(model)["weights"] != before["weights"]
