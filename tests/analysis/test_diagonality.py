"""Diagonality against hand-worked matrices, and its laws."""

import numpy as np
import pytest

from tl_experts.analysis.diagonality import contrast, diagonality, share_on_diagonal
from tl_experts.errors import TLExpertsError

HAND = np.array([[3.0, 1.0, -1.0], [2.0, 1.0, 0.0]])
"""Own columns 0 and 1: d = 3 and 1, o = 0 and 1, mean |o| = 1 and 1."""


def test_a_matrix_worked_by_hand():
    # Row 0: (3 - 0) / (3 + 1) = 0.75. Row 1: (1 - 1) / (1 + 1) = 0.
    assert diagonality(HAND, [0, 1]).item() == pytest.approx(0.375)
    assert contrast(HAND, [0, 1]).item() == pytest.approx(1.5)
    assert share_on_diagonal(HAND, [0, 1]) == 0.5


@pytest.mark.parametrize(
    ("effects", "value"), [(np.eye(3), 1), (np.ones((3, 3)), 0), (1 - np.eye(3), -1), (np.zeros((3, 3)), 0)]
)
def test_its_ends(effects, value):
    assert diagonality(effects, [0, 1, 2]).item() == value


def test_it_lies_between_its_ends_and_ignores_the_scale_of_a_row():
    effects = np.random.default_rng(0).normal(size=(5, 7, 200))
    own = [6, 0, 3, 2, 2]
    found = diagonality(effects, own)
    assert found.shape == (200,)
    assert (np.abs(found) <= 1).all()
    np.testing.assert_allclose(diagonality(effects * np.array([1, 5, 0.1, 2, 9])[:, None, None], own), found)
    np.testing.assert_allclose(found[7], diagonality(effects[..., 7], own))
    np.testing.assert_allclose(contrast(effects, own)[7], contrast(effects[..., 7], own))


@pytest.mark.parametrize(
    ("effects", "own"),
    [(np.ones((2, 1)), [0, 0]), (np.ones((0, 2)), []), (np.ones((2, 2)), [0]), (np.ones((2, 2)), [0, 2])],
)
def test_what_has_no_diagonal_raises(effects, own):
    with pytest.raises(TLExpertsError, match="own columns"):
        diagonality(effects, own)


def test_nan_raises():
    with pytest.raises(TLExpertsError, match="NaN or infinite"):
        contrast(np.array([[1.0, np.nan]]), [0])
