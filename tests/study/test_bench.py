"""A bench keeps what it computes, under a name that depends on all that decides it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tl_experts import load_sentences
from tl_experts.errors import CorpusError, StudyError
from tl_experts.study.bench import Bench, read_split


def test_its_experts_are_those_of_the_public_functions(bench, experts):
    for target in ("en", "ja"):
        found = bench.experts(target, 6)
        np.testing.assert_array_equal(found.layer, experts[target].layer)
        np.testing.assert_array_equal(found.neuron, experts[target].neuron)
        assert len(bench.experts(target, 2)) == 2


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


def test_targets_must_be_in_both_splits(config, model, tmp_path):
    assert Bench(config, model, tmp_path, progress=False).languages == ("en", "de", "fr", "ja")
    with pytest.raises(StudyError, match="target 'es' is not in both splits; they share en, de, fr, ja"):
        Bench(replace(config, targets=("es",)), model, tmp_path, progress=False)


def test_splits_that_share_sentences_raise_an_error(config, model, tmp_path):
    with pytest.raises(CorpusError, match="share"):
        Bench(replace(config, corpus=str(overlapping(tmp_path))), model, tmp_path, progress=False)


def overlapping(folder):
    """A table whose two splits hold the same sentence."""
    rows = [
        {"en": "One.", "de": "Eins.", "split": "dev"},
        {"en": "One.", "de": "Ein.", "split": "test"},
    ]
    (folder / "table.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "table.jsonl"


# --- splits of a corpus ---


def test_the_rows_of_a_table_are_counted_within_the_split(config, tmp_path):
    rows = [{"en": f"e{i}", "de": f"d{i}", "split": "dev" if i % 2 else "test"} for i in range(8)]
    (tmp_path / "table.jsonl").write_text("\n".join(map(json.dumps, rows)))
    mine = replace(config, corpus=str(tmp_path / "table.jsonl"))
    assert read_split(mine, "dev", 2)["en"].texts == ("e1", "e3")
    assert read_split(mine, "test", None)["de"].texts == ("d0", "d2", "d4", "d6")


def test_a_split_of_a_folder_is_the_folder_of_that_name(config, tmp_path):
    for split in ("dev", "test"):
        (tmp_path / split).mkdir()
        for language in ("en", "de"):
            (tmp_path / split / f"{language}.txt").write_text(f"{split} {language} 1\n{split} {language} 2\n")
    found = read_split(replace(config, corpus=str(tmp_path)), "test", 1)
    assert sorted(found.texts) == ["test de 1", "test en 1"]
    assert found.rows == ("0", "0")


def test_the_bundled_corpus_is_read_by_its_name(config):
    assert read_split(config, "dev", 3) == load_sentences("bundled", split="dev", limit=3)
