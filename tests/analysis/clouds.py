"""Random clouds of vectors and rotations of them."""

import torch


def cloud(count=200, dim=12, seed=0, scale=None) -> torch.Tensor:
    values = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values if scale is None else values * torch.as_tensor(scale, dtype=torch.float64)


def rotation(dim: int, seed: int = 5) -> torch.Tensor:
    return torch.linalg.qr(cloud(dim, dim, seed)).Q
