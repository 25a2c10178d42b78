"""Conversion of the arrays, tensors and lists that users have."""

import numpy as np
import pytest
import torch

from tl_experts.analysis.arrays import as_floats, as_tensor, as_tensors
from tl_experts.analysis.distances import language_distances
from tl_experts.analysis.isotropy import isoscore, mean_random_cosine, partition_ratio
from tl_experts.analysis.subspace import language_subspace, project_out, variance_share, variance_shares
from tl_experts.analysis.vectors import mean_cosine_distance
from tl_experts.errors import TLExpertsError

VECTORS = {"en": np.random.default_rng(0).normal(size=(12, 5)), "de": np.random.default_rng(1).normal(size=(12, 5))}
TENSORS = {language: torch.tensor(rows) for language, rows in VECTORS.items()}


def test_a_tensor_stays_itself_and_an_array_shares_its_memory():
    rows = np.ones((2, 3), np.float32)
    assert as_tensor(rows).data_ptr() == rows.ctypes.data
    tensor = torch.ones(2, 3)
    assert as_tensor(tensor) is tensor


@pytest.mark.parametrize("whole", [np.eye(3, dtype=int), np.eye(3, dtype=bool), torch.eye(3, dtype=torch.int32)])
def test_whole_numbers_become_floating_point(whole):
    assert torch.equal(as_tensor(whole), torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("wrong", [np.array(["a"]), np.array([object()]), np.array([1j])], ids=["text", "object", "j"])
def test_what_is_not_a_number_raises_an_error_that_names_its_type(wrong):
    with pytest.raises(TLExpertsError, match=f"NumPy array of numbers, got ndarray of dtype {wrong.dtype}"):
        as_tensors({"en": wrong})


def test_lists_are_numbers_for_statistics():
    assert as_floats([1, 2]).tolist() == [1.0, 2.0]
    with pytest.raises(TLExpertsError, match="expected numbers, got list"):
        as_floats(["one"])


def test_every_measure_of_a_space_takes_numpy_arrays():
    for measure in (mean_random_cosine, partition_ratio, isoscore):
        assert measure(VECTORS["en"]) == measure(TENSORS["en"])
    assert torch.equal(language_distances(VECTORS).between, language_distances(TENSORS).between)
    assert torch.equal(
        language_distances(VECTORS, medoid="language", level="means").to_medoid,
        language_distances(TENSORS, medoid="language", level="means").to_medoid,
    )
    subspace = language_subspace(VECTORS)
    assert torch.equal(subspace.basis, language_subspace(TENSORS).basis)
    assert torch.equal(project_out(VECTORS["en"], subspace), project_out(TENSORS["en"], subspace))
    assert variance_share(VECTORS, subspace) == variance_share(TENSORS, subspace)
    assert variance_shares(VECTORS) == variance_shares(TENSORS)
    assert mean_cosine_distance(*VECTORS.values()) == mean_cosine_distance(*TENSORS.values())
