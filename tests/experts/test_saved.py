"""Saved experts come back as they were; damaged files raise an error that names them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from safetensors.torch import save as save_torch

from tests.experts.by_hand import assert_same
from tl_experts.errors import ArtefactError
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import find_experts, select_experts
from tl_experts.jobs.artefacts import load_artefact, save_artefact


def make_experts(kind, expertise):
    if kind == "control":
        return select_experts(expertise, k=4).random_control(seed=1)
    if kind == "one language":
        return select_experts(expertise, k=4)["zh-Hant"]
    if kind == "not ASCII":
        return replace(select_experts(expertise, k=4, scoring="ap"), selection='„beste“ "4"\n日本')
    return select_experts(expertise, threshold=0.5, how="bottom")


@pytest.mark.parametrize("kind", ["threshold", "control", "one language", "not ASCII"])
@pytest.mark.parametrize("name", ["experts", "deep/er/experts.safetensors", "v1.0"])
def test_saved_experts_come_back_equal_in_every_field(expertise, tmp_path, kind, name):
    experts = make_experts(kind, expertise)
    path = tmp_path / name
    assert experts.save_pretrained(path) == path
    assert path.is_file() == name.endswith(".safetensors")
    assert_same(Experts.from_pretrained(path), experts)
    assert_same(Experts.from_pretrained(str(path)), experts)


@pytest.mark.parametrize("name", ["experts", "experts.safetensors"])
def test_saving_again_replaces_and_leaves_no_other_file(expertise, tmp_path, name):
    select_experts(expertise, k=5).save_pretrained(tmp_path / name)
    files = sorted(tmp_path.rglob("*"))
    second = select_experts(expertise, k=2)
    second.save_pretrained(tmp_path / name)
    assert_same(Experts.from_pretrained(tmp_path / name), second)
    assert sorted(tmp_path.rglob("*")) == files


def test_a_folder_is_not_written_over_a_file_nor_below_one(experts, tmp_path):
    occupied = tmp_path / "notes"
    occupied.write_text("mine")
    with pytest.raises(ArtefactError, match=r"notes is a file; give a folder, or a name that ends in \.safetensors"):
        experts.save_pretrained(occupied)
    for below in ("experts", "experts.safetensors"):
        with pytest.raises(ArtefactError, match="cannot be written"):
            experts.save_pretrained(occupied / below)
    assert occupied.read_text() == "mine"
    assert_same(Experts.from_pretrained(experts.save_pretrained(tmp_path / "free")), experts)


def spread(content, start=0, number=40):
    """Offsets spread over some bytes, both ends included."""
    return sorted({int(index) for index in np.linspace(start, len(content) - 1, number)})


@pytest.mark.parametrize("file", ["experts.safetensors", "experts.json"])
def test_a_folder_with_a_truncated_file_is_refused(experts, tmp_path, file):
    path = experts.save_pretrained(tmp_path / "experts") / file
    content = path.read_bytes()
    for size in spread(content):
        path.write_bytes(content[:size])
        with pytest.raises(ArtefactError, match=r"damaged"):
            Experts.from_pretrained(tmp_path / "experts")
    path.write_bytes(content)
    assert_same(Experts.from_pretrained(tmp_path / "experts"), experts)


@pytest.mark.parametrize("file", ["experts.safetensors", "experts.json"])
def test_a_folder_without_one_of_its_files_is_refused(experts, tmp_path, file):
    path = experts.save_pretrained(tmp_path / "experts") / file
    aside = path.rename(tmp_path / "aside")
    with pytest.raises(ArtefactError, match=rf"{re.escape(file)} cannot be read: No such file"):
        Experts.from_pretrained(tmp_path / "experts")
    aside.rename(path)
    assert_same(Experts.from_pretrained(tmp_path / "experts"), experts)


def test_a_folder_with_a_changed_byte_among_its_tensors_is_refused(experts, tmp_path):
    path = experts.save_pretrained(tmp_path / "experts") / "experts.safetensors"
    content = path.read_bytes()
    for index in spread(content):
        path.write_bytes(content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :])
        with pytest.raises(ArtefactError, match=r"does not match the checksum in experts\.json"):
            Experts.from_pretrained(tmp_path / "experts")
    path.write_bytes(content)
    assert_same(Experts.from_pretrained(tmp_path / "experts"), experts)


def test_tensors_of_another_save_are_refused(expertise, tmp_path):
    for k in (2, 3):
        select_experts(expertise, k=k).save_pretrained(tmp_path / str(k))
    swapped = tmp_path / "2" / "experts.safetensors"
    swapped.write_bytes((tmp_path / "3" / "experts.safetensors").read_bytes())
    with pytest.raises(ArtefactError, match="another save"):
        Experts.from_pretrained(tmp_path / "2")
    assert Experts.from_pretrained(tmp_path / "3").total == 9


def test_a_truncated_single_file_is_refused(experts, tmp_path):
    path = experts.save_pretrained(tmp_path / "experts.safetensors")
    content = path.read_bytes()
    for size in spread(content):
        path.write_bytes(content[:size])
        with pytest.raises(ArtefactError, match=r"not a readable safetensors file \(.+\); create it again"):
            Experts.from_pretrained(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(ArtefactError, match="not a readable safetensors file"):
        Experts.from_pretrained(path)
    path.write_bytes(content)
    assert_same(Experts.from_pretrained(path), experts)


def test_a_single_file_with_a_changed_byte_among_its_tensors_is_refused(experts, tmp_path):
    path = experts.save_pretrained(tmp_path / "experts.safetensors")
    content = path.read_bytes()
    for index in spread(content, start=8 + int.from_bytes(content[:8], "little")):
        path.write_bytes(content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :])
        with pytest.raises(ArtefactError):
            Experts.from_pretrained(path)
    path.write_bytes(content)
    assert_same(Experts.from_pretrained(path), experts)


FOREIGN = {
    "empty": b"",
    "text": b"layer,neuron\n0,1\n" * 40,
    "pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}" + bytes(100),
    "a checkpoint": save({"lm_head.weight": np.zeros((2, 2), np.float32)}, metadata={"format": "pt"}),
    "a bfloat16 checkpoint": save_torch({"lm_head.weight": torch.zeros(2, 2, dtype=torch.bfloat16)}),
    "a header that is not an object": save({"layer": np.zeros(2)}, metadata={"tl_experts": "[1, 2]"}),
    "a header that is not JSON": save({"layer": np.zeros(2)}, metadata={"tl_experts": "experts"}),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("file", ["experts.safetensors", "experts/experts.safetensors", "experts/experts.json"])
def test_a_foreign_file_is_refused(experts, tmp_path, content, file):
    home = tmp_path / file.split("/")[0]
    experts.save_pretrained(home)
    own = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ArtefactError, match=home.name):
        Experts.from_pretrained(home)
    (tmp_path / file).write_bytes(own)
    assert_same(Experts.from_pretrained(home), experts)


def test_a_path_with_nothing_there_is_refused(experts, tmp_path):
    for name in ("experts", "experts.safetensors"):
        with pytest.raises(
            ArtefactError, match=rf"{name} cannot be read: No such file or directory; is the path right"
        ):
            Experts.from_pretrained(tmp_path / name)
    (tmp_path / "experts").mkdir()
    with pytest.raises(ArtefactError, match=r"experts\.json cannot be read"):
        Experts.from_pretrained(tmp_path / "experts")
    assert_same(Experts.from_pretrained(experts.save_pretrained(tmp_path / "experts")), experts)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "embeddings"}, "holds 'embeddings'; expected 'experts'"),
        ({"schema": 2}, "has schema 2, this version reads 1; create it again"),
        ({"schema": None}, "has schema None, this version reads 1"),
        ({"sha256": "0" * 64}, r"does not match the checksum in experts\.json"),
        ({"layers": [1, 4]}, "not a complete set of experts"),
        ({"widths": [3, 5, 1]}, "not a complete set of experts .*neuron"),
        ({"widths": [3, 5]}, "not a complete set of experts"),
        ({"languages": ["en"]}, "not a complete set of experts .*language index 1; expected 0 to 0"),
        ({"languages": 3}, "not a complete set of experts"),
    ],
    ids=str,
)
def test_a_header_that_does_not_fit_is_refused(experts, tmp_path, change, message):
    path = experts.save_pretrained(tmp_path / "experts") / "experts.json"
    own = path.read_text()
    path.write_text(json.dumps(json.loads(own) | change))
    with pytest.raises(ArtefactError, match=message):
        Experts.from_pretrained(tmp_path / "experts")
    path.write_text(json.dumps(json.loads(own) | {"unknown": "field"}))
    assert_same(Experts.from_pretrained(tmp_path / "experts"), experts)


@pytest.mark.parametrize("name", ["language_of", "layer", "neuron", *STATISTICS])
@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_missing_or_short_column_is_refused(experts, tmp_path, name, damage):
    arrays, header = load_artefact(experts.save_pretrained(tmp_path / "experts"), "experts")
    save_artefact(tmp_path / "same", "experts", arrays, header)
    assert_same(Experts.from_pretrained(tmp_path / "same"), experts)
    arrays = {key: array for key, array in arrays.items() if key != name} | (
        {} if damage == "missing" else {name: arrays[name][:-1]}
    )
    save_artefact(tmp_path / "other", "experts", arrays, header)
    with pytest.raises(ArtefactError, match="not a complete set of experts"):
        Experts.from_pretrained(tmp_path / "other")


@pytest.mark.parametrize(("name", "value"), [("language_of", 3), ("language_of", -1), ("layer", 2), ("neuron", -1)])
def test_a_row_without_a_language_or_neuron_of_the_model_raises_an_error(experts, tmp_path, name, value):
    arrays, header = load_artefact(experts.save_pretrained(tmp_path / "experts"), "experts")
    arrays[name] = arrays[name].copy()
    arrays[name][-1] = value
    save_artefact(tmp_path / "other", "experts", arrays, header)
    with pytest.raises(ArtefactError, match="not a complete set of experts"):
        Experts.from_pretrained(tmp_path / "other")


def test_the_tensors_are_plain_safetensors_that_anyone_reads(experts, tmp_path):
    folder, file = (experts.save_pretrained(tmp_path / name) for name in ("experts", "experts.safetensors"))
    for content in ((folder / "experts.safetensors").read_bytes(), file.read_bytes()):
        tensors = load(content)
        assert set(tensors) == {"language_of", "layer", "neuron", *STATISTICS}
        np.testing.assert_array_equal(tensors["layer"], experts.layer)
        np.testing.assert_array_equal(tensors["auroc"], experts.statistics["auroc"])


def test_experts_that_were_saved_still_know_their_model(llama, model_of, corpus, tmp_path):
    path = find_experts(llama, corpus, k=2, progress=False).save_pretrained(tmp_path / "experts")
    Experts.from_pretrained(path).require_model(llama)
    with pytest.raises(ArtefactError, match="weights differ"):
        Experts.from_pretrained(path).require_model(model_of("gpt2"))
