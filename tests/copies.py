"""Copies of shared models for tests that change one."""

from copy import deepcopy

import torch

from tl_experts.models import Model


def own_copy(model: Model) -> Model:
    """A copy of a model, whatever ran on it before.

    A bridge of transformer-lens 4 keeps attention patterns of its last pass. With a gradient they cannot be copied, so
    a pass without one takes their place.
    """
    with torch.no_grad():
        model(torch.tensor([[0, 1]]))
    return deepcopy(model)
