"""Copies of models, whatever ran before."""

import pytest
import torch

from tests.conftest import ARCHITECTURES
from tests.copies import own_copy
from tl_experts.models import model_fingerprint


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_can_be_copied_after_a_pass_with_gradients(architecture, model_of, bridge_of):
    tokens = torch.tensor([[0, 5, 9]])
    for model in (model_of(architecture), bridge_of(architecture)):
        with torch.enable_grad():
            model(tokens)
        copied = own_copy(model)
        assert model_fingerprint(copied) == model_fingerprint(model)
        with torch.inference_mode():
            assert torch.equal(copied(tokens), model(tokens))
