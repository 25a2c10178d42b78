"""Tables of silencing matrices: a row per cell and a summary per scoring, with the numbers of the matrix."""

import numpy as np
import pytest

from tl_experts.steering.matrix import SilencingMatrix
from tl_experts.study.silenced import silencing_tables


def matrix(neurons):
    """Spanish neurons cost Spanish 1 nat and German nothing; random ones cost both 0.5; one token a sentence."""
    return SilencingMatrix(
        silenced=("es",),
        languages=("es", "de"),
        neurons=np.array([neurons]),
        language_of=np.array([0, 0, 1, 1]),
        tokens=np.ones(4, dtype=np.int64),
        before=np.full(4, 2.0),
        after=np.array([[3.0, 3.0, 2.0, 2.0]]),
        control=np.array([[[2.5, 2.5, 2.5, 2.5]]]),
        selection="top 5",
        corpus="",
        fingerprint={},
        resamples=10,
    )


def test_cells_and_summary_hold_the_numbers_of_the_matrix():
    tables = silencing_tables({"mine": matrix(5)})
    assert [(row["scoring"], row["text"], row["change"]) for row in tables["silencing"]] == [
        ("mine", "es", 1.0),
        ("mine", "de", 0.0),
    ]
    (summary,) = tables["silencing_summary"]
    assert (summary["neurons"], summary["diagonality"], summary["control_diagonality"]) == (5, 1.0, 0.0)
    assert (summary["contrast"], summary["control_contrast"]) == pytest.approx((1.0, 0.0))


def test_a_scoring_without_neurons_has_no_summary():
    tables = silencing_tables({"none": matrix(0)})
    assert len(tables["silencing"]) == 2
    assert tables["silencing_summary"] == []
