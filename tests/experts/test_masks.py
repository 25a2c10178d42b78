"""Mask files are read as data alone, and anything else in them raises an error that names the file."""

import pickle
import re
import zipfile

import pytest
import torch

from tl_experts.errors import ArtefactError
from tl_experts.experts.masks import read_masks

MASKS = [[torch.tensor([0, 3]), torch.tensor([])], [torch.tensor([1], dtype=torch.int32), torch.tensor([2, 3])]]


def saved(tmp_path, what, **options):
    path = tmp_path / "masks.pth"
    torch.save(what, path, **options)
    return path


def test_indices_are_read_by_language_and_layer(tmp_path):
    assert read_masks(saved(tmp_path, MASKS), most=4) == [[[0, 3], []], [[1], [2, 3]]]
    assert read_masks(str(saved(tmp_path, tuple(map(tuple, MASKS)))), most=4) == [[[0, 3], []], [[1], [2, 3]]]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (torch.ones(2), "holds Tensor; expected for each language a list"),
        ({"en": MASKS[0]}, "holds dict"),
        ([torch.tensor([1])], "holds list"),
        ([[[0, 1]]], "language 0, layer 0 is list; expected a tensor"),
        ([MASKS[0], [torch.tensor([0]), torch.ones(2, 2)]], r"language 1, layer 1 has shape \(2, 2\)"),
        ([[torch.tensor(3)]], r"has shape \(\)"),
        ([[torch.tensor([0.5])]], r"is torch\.float32; expected whole numbers"),
        ([[torch.tensor([True, False])]], r"is torch\.bool"),
        ([[torch.zeros(1, dtype=torch.int64).expand(2**40)]], "has 1099511627776 indices; a layer of the model has 4"),
    ],
    ids=["tensor", "dict", "flat", "numbers", "matrix", "scalar", "floats", "booleans", "terabytes"],
)
def test_what_is_not_a_list_of_index_tensors_is_refused(what, message, tmp_path):
    with pytest.raises(ArtefactError, match=message) as refused:
        read_masks(saved(tmp_path, what), most=4)
    assert "masks.pth" in str(refused.value)
    assert read_masks(saved(tmp_path, MASKS), most=4)


class Sprung:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_no_code_in_a_file_is_run(tmp_path):
    path, trap = saved(tmp_path, [[Sprung(tmp_path / "sprung")]]), tmp_path / "sprung"
    torch.load(path, weights_only=False)
    assert trap.exists()  # the file is armed
    trap.unlink()
    with pytest.raises(ArtefactError, match="cannot be read as data alone"):
        read_masks(path, most=4)
    path.write_bytes(pickle.dumps(Sprung(trap)))
    with pytest.raises(ArtefactError, match="is not a file that"):
        read_masks(path, most=4)
    assert not trap.exists()


def test_a_file_that_is_not_a_plain_archive_is_refused(tmp_path):
    legacy = saved(tmp_path, MASKS, _use_new_zipfile_serialization=False)
    with pytest.raises(ArtefactError, match="is not a file that"):
        read_masks(legacy, most=4)
    path = saved(tmp_path, MASKS)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for method, refused in ((zipfile.ZIP_DEFLATED, True), (zipfile.ZIP_STORED, False)):
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        if refused:
            with pytest.raises(ArtefactError, match="compressed archive"):
                read_masks(path, most=4)
        else:
            assert read_masks(path, most=4)[0] == [[0, 3], []]
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ArtefactError, match=re.escape(str(path))):
        read_masks(path, most=4)
    with pytest.raises(ArtefactError, match="nowhere"):
        read_masks(tmp_path / "nowhere.pth", most=4)
