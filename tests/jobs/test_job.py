"""Jobs: the one identity of resumable work, with one check and one message."""

import json
import logging

import numpy as np
import pytest

from tests.messages import says
from tl_experts import ResponseStore, store_embeddings, store_responses
from tl_experts.errors import ArtefactError
from tl_experts.jobs.job import Job, recover
from tl_experts.jobs.pieces import Pieces

DOCUMENT = {"model": {"weights": "abc", "form": "x"}, "layers": (0, 1), "note": None}


def test_a_document_is_kept_in_the_form_in_which_it_is_read_back(tmp_path):
    job = Job(DOCUMENT)
    job.begin(tmp_path)
    assert Job.read(tmp_path) == job
    assert job.document["layers"] == [0, 1]
    assert json.loads((tmp_path / "job.json").read_text()) == job.document


def test_the_mark_depends_on_every_value_and_not_on_their_order():
    mark = Job(DOCUMENT).mark
    assert len(mark) == 64
    assert Job(dict(reversed(DOCUMENT.items()))).mark == mark
    for name in DOCUMENT:
        assert Job(DOCUMENT | {name: "other"}).mark != mark


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"layers": [0, 2]}, "layers is [0, 1] there and [0, 2] here"),
        ({"extra": 1}, "extra is None there and 1 here"),
        ({"model": {"weights": "xyz", "form": "x"}}, "model.weights is 'abc' there and 'xyz' here"),
        ({"model": "abc"}, "model is {'weights': 'abc', 'form': 'x'} there and 'abc' here"),
    ],
)
def test_another_job_raises_an_error_that_names_the_difference(change, difference, tmp_path):
    Job(DOCUMENT).begin(tmp_path)
    Job(DOCUMENT).begin(tmp_path)  # the same job may begin again
    with pytest.raises(ArtefactError, match=says(f"{tmp_path} holds another job: {difference}; choose another folder")):
        Job(DOCUMENT | change).begin(tmp_path)


def test_a_folder_without_a_job_is_not_the_jobs(tmp_path):
    assert not Job(DOCUMENT).is_in(tmp_path / "missing")
    with pytest.raises(ArtefactError, match="is the path right"):
        Job.read(tmp_path / "missing")


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_damaged_document_raises_an_error_that_says_what_to_delete(content, tmp_path):
    Job(DOCUMENT).begin(tmp_path)
    (tmp_path / "job.json").write_text(content)
    with pytest.raises(ArtefactError, match=says("job.json", f"delete {tmp_path} to start over")):
        Job(DOCUMENT).begin(tmp_path)


@pytest.mark.parametrize("note", [{}, {"job": "other", "number": 3}, {"number": 3}, {"job": Job(DOCUMENT).mark}])
def test_a_piece_without_the_jobs_stamp_raises_an_error(note, tmp_path):
    job = Job(DOCUMENT)
    job.require_stamp(job.stamp(3) | {"rows": [1]}, 3, tmp_path)
    with pytest.raises(ArtefactError, match="belongs to another job"):
        job.require_stamp(note, 3, tmp_path)
    with pytest.raises(ArtefactError, match="another piece"):
        job.require_stamp(job.stamp(3), 4, tmp_path)


def test_recovery_logs_damage_and_hides_no_other_error(caplog):
    def damaged():
        raise ArtefactError("piece 5 is damaged")

    with caplog.at_level(logging.WARNING):
        assert recover(damaged) is None
    assert "recomputing a piece: piece 5 is damaged" in caplog.text
    assert recover(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        recover(lambda: 1 / 0)


def test_all_resumable_work_gives_the_same_message(model_of, corpus, tmp_path):
    model = model_of("llama")
    message = r"holds another job: corpus is '\w+' there and '\w+' here; choose another folder, or delete it to start"
    store_responses(model, corpus, tmp_path / "responses", progress=False)
    store_embeddings(model, corpus, tmp_path / "embeddings", progress=False)
    for store, folder in ((store_responses, "responses"), (store_embeddings, "embeddings")):
        with pytest.raises(ArtefactError, match=message):
            store(model, corpus.head(2), tmp_path / folder, progress=False)
    Pieces(tmp_path / "pieces", Job({"corpus": "a"})).save(0, {"a": np.zeros(1)})
    with pytest.raises(ArtefactError, match=message):
        Pieces(tmp_path / "pieces", Job({"corpus": "b"}))
    other = store_responses(model, corpus.head(2), tmp_path / "other", progress=False)
    with pytest.raises(ArtefactError, match=message):
        ResponseStore(tmp_path / "responses").take(other)
