"""Results of a search for alignment that nobody ran."""

import numpy as np

from tests.steering.tuning.fakes import setting
from tl_experts.responses.neurons import NeuronTable
from tl_experts.steering.affine import AffineMap
from tl_experts.steering.tuning import Setting
from tl_experts.study.aligning import AlignmentResult, AlignmentTrial

VECTOR = Setting("vector", None, layers=(3,), strength=0.5, source="en")


def trial(top1, stage=1, *, centred=0.1, own=None) -> AlignmentTrial:
    """A trial of the layer 3 raw, and of the last centred."""
    return AlignmentTrial(own or setting(), stage, 2 * (stage + 1), top1, 3, centred, None, 1.5)


def none(top1, stage=1) -> AlignmentTrial:
    """No intervention, centred in the last layer."""
    return AlignmentTrial(None, stage, 2 * (stage + 1), 0.2, 3, top1, None, 1.0)


def result(*trials, gain=0.0, rows=40) -> AlignmentResult:
    """A result whose best setting finds so many more of the test rows than no intervention."""
    columns = [np.ones(8, dtype=np.float32) for _ in range(4)]
    vector = AffineMap("vector", "es", "en", NeuronTable((0, 1), (4, 4)), "hook_resid_post", *columns, {"name": "tiny"})
    before = np.linspace(0.2, 0.6, rows)
    hits = {"steered": before + gain, "same view": before - 0.1, "baseline": before}
    return AlignmentResult("es", trials, (none(0.7, 0), none(0.5)), vector, hits, seed=3)
