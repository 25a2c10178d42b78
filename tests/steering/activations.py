"""What the tests of steering look at: activations behind every hook."""

import torch

from tl_experts.models import attached, hook_name

TOKENS = torch.tensor([[0, 11, 12, 13, 14, 15], [0, 21, 22, 23, 24, 25]])
PADDED = torch.tensor([[0, 11, 12, 13, 14, 15], [0, 21, 22, 2, 2, 2]])
"""The second row ends with padding."""


def read(model, tokens=TOKENS, site="mlp.hook_post", **kwargs) -> torch.Tensor:
    """All layers' activations: ``[layer batch pos width]``."""
    seen = {}

    def note(layer):
        def look(activation, hook):
            seen[layer] = activation.clone()

        return look

    layers = range(model.cfg.n_layers)
    with torch.inference_mode(), attached(model, [(hook_name(layer, site), note(layer)) for layer in layers]):
        model(tokens, **kwargs)
    return torch.stack([seen[layer] for layer in layers])


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equality that tells 0.0 from -0.0."""
    return a.dtype == b.dtype and torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))
