"""Activations on disk are those that were written, of the same job, undamaged; otherwise there are none."""

import logging

import numpy as np
import pytest

from tl_experts.jobs.job import Job
from tl_experts.pages.inspector.kept import keep_activations, load_activations

JOB = Job({"model": "one"})
VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def folder(tmp_path):
    np.testing.assert_array_equal(keep_activations(tmp_path, JOB, VALUES), VALUES)
    return tmp_path


def test_what_was_kept_is_read_back_and_replaced_by_that_of_another_job(folder):
    found = load_activations(folder, JOB, (3, 4))
    np.testing.assert_array_equal(found, VALUES)
    other = Job({"model": "other"})
    assert load_activations(folder, other, (3, 4)) is None
    keep_activations(folder, other, VALUES[:2])
    np.testing.assert_array_equal(load_activations(folder, other, (2, 4)), VALUES[:2])
    assert load_activations(folder, JOB, (3, 4)) is None


def test_nothing_is_read_where_nothing_was_kept(tmp_path, caplog):
    assert load_activations(tmp_path, JOB, (3, 4)) is None
    assert caplog.text == ""


def damage_values(folder):
    content = bytearray((folder / "activations.npy").read_bytes())
    content[-1] ^= 1
    (folder / "activations.npy").write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_values, "does not match its checksum"),
        (lambda folder: (folder / "activations.npy").unlink(), "cannot be read"),
        (lambda folder: (folder / "activations.json").write_text("{"), "damaged"),
        (lambda folder: (folder / "activations.json").write_text("{}"), "belongs to another job"),
    ],
)
def test_what_is_damaged_is_not_read_and_this_is_logged(damage, message, folder, caplog):
    damage(folder)
    assert load_activations(folder, JOB, (3, 4)) is None
    assert message in caplog.text


def test_another_shape_is_not_read(folder, caplog):
    assert load_activations(folder, JOB, (4, 3)) is None
    assert "expected float32 (4, 3)" in caplog.text


def test_where_nothing_can_be_written_the_values_are_used_and_this_is_logged(tmp_path, caplog):
    (tmp_path / "file").write_text("not a folder")
    with caplog.at_level(logging.WARNING):
        assert keep_activations(tmp_path / "file", JOB, VALUES) is VALUES
    assert "cannot be written" in caplog.text or "Not a directory" in caplog.text


def test_values_of_a_write_that_broke_off_are_not_vouched_for(folder, monkeypatch):
    def full(path, array):
        raise OSError("no space")

    monkeypatch.setattr("tl_experts.pages.inspector.kept.write_array", full)
    assert keep_activations(folder, JOB, VALUES) is VALUES
    monkeypatch.undo()
    assert load_activations(folder, JOB, (3, 4)) is None
