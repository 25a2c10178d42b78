"""A bench keeps what it computes, in a folder whose name depends on everything that decides it."""

import numpy as np
import pytest
import torch

from tl_experts.study.bench import Bench


def test_its_experts_are_those_of_the_public_functions(bench, experts):
    for target in ("en", "ja"):
        found = bench.experts(target, 6)
        np.testing.assert_array_equal(found.layer, experts[target].layer)
        np.testing.assert_array_equal(found.neuron, experts[target].neuron)
        assert bench.experts(target, 2).total == 2


def test_a_space_is_read_back_without_a_pass_of_the_model(bench, spaces, monkeypatch):
    found = {"": bench.space(), "ja": bench.space(bench.experts("ja", 6))}
    for key, space in found.items():
        assert set(space) == set(spaces[key])
        for language, vectors in space.items():
            np.testing.assert_allclose(vectors.numpy(), spaces[key][language], rtol=1e-4, atol=1e-5)
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)
    again = bench.space(bench.experts("ja", 6))
    assert all(torch.equal(again[language], vectors) for language, vectors in found["ja"].items())
    with pytest.raises(TypeError):  # other experts are another pass
        bench.space(bench.experts("ja", 5))


def test_work_is_done_once_for_each_job(bench):
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(3) + len(made)}

    first, again = (bench.once("thing", {"seed": 0}, make) for _ in range(2))
    assert len(made) == 1
    np.testing.assert_array_equal(first["a"], again["a"])
    assert bench.once("thing", {"seed": 1}, make)["a"].tolist() == [2, 3, 4]
    assert bench.once("other thing", {"seed": 0}, make)["a"].tolist() == [3, 4, 5]


def test_candidates_of_another_process_are_not_computed_again(bench, config, splits, model, tmp_path, monkeypatch):
    given = bench.candidates
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)
    assert Bench(config, splits, model, tmp_path, progress=False, candidates=given).candidates is given


def test_a_settled_bench_is_a_copy_that_shares_what_is_computed(config, bench):
    candidates = bench.candidates
    settled = bench.settled({"en": 3, "ja": 4})
    assert (bench.chosen_k, settled.chosen_k) == ({}, {"en": 3, "ja": 4})
    assert settled.candidates is candidates
    assert (settled.experts("en").total, settled.experts("ja").total) == (3, 4)
    with pytest.raises(KeyError):
        bench.experts("en")
