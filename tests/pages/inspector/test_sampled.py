"""Activations that are kept are those of a pass, which is left out where they would take too much memory."""

import threading

import numpy as np
import pytest

from tl_experts.pages.inspector import sampled
from tl_experts.pages.inspector.gather import gather
from tl_experts.pages.inspector.sampled import Sampled


@pytest.fixture
def make(llama, corpus, responses, monkeypatch):
    monkeypatch.setattr(sampled, "CHUNK", 5)
    lock = threading.Lock()
    return lambda **options: Sampled(llama, corpus, responses.neurons, responses.site, lock, **options)


def test_every_language_has_its_first_sentences(make, corpus):
    rows = make(count=2 * len(corpus.languages) + 1).rows
    assert rows == [row for code in corpus.languages for row in np.flatnonzero(np.array(corpus.labels) == code)[:2]]
    assert len(make(count=1).rows) == len(corpus.languages)


def test_what_is_kept_is_that_of_a_pass(make, llama, corpus, responses):
    found = make(count=12)
    by_a_pass = found.of(1, 9)
    expected = gather(llama, corpus.take(found.rows), [(1, 9)], responses.site, progress=False)
    np.testing.assert_array_equal(by_a_pass.values, expected.values)
    found.fill()
    kept = found.of(1, 9)
    assert (kept.neurons, kept.pieces, kept.corpus) == (((1, 9),), expected.pieces, expected.corpus)
    np.testing.assert_array_equal(kept.starts, expected.starts)
    np.testing.assert_allclose(kept.values, expected.values, rtol=1e-4, atol=1e-5)


def test_what_is_kept_takes_no_pass_and_too_much_is_not_kept(make, monkeypatch):
    passes = []
    whole = sampled.gather
    monkeypatch.setattr(sampled, "gather", lambda *args, **options: passes.append(1) or whole(*args, **options))
    found = make(count=12)
    monkeypatch.setattr(sampled, "KEPT_BYTES", 1000)
    found.fill()
    assert passes == []
    found.of(0, 3)
    assert len(passes) == 1
    monkeypatch.setattr(sampled, "KEPT_BYTES", 2**30)
    found.fill()
    before = len(passes)
    found.of(0, 3)
    assert len(passes) == before == 1 + -(-len(found.rows) // 5)


def test_it_stops_when_the_program_ends(make, monkeypatch):
    found = make(count=12)
    ended = threading.Thread(target=len)  # a thread that does not run
    monkeypatch.setattr(sampled.threading, "main_thread", lambda: ended)
    monkeypatch.setattr(sampled, "gather", None)
    found.fill()


def test_a_question_gets_its_turn_between_chunks(llama, corpus, responses, monkeypatch):
    lock, turns = threading.Lock(), []

    def pause(seconds):
        assert lock.acquire(blocking=False)
        lock.release()
        turns.append(seconds)

    monkeypatch.setattr(sampled, "CHUNK", 5)
    monkeypatch.setattr(sampled.time, "sleep", pause)
    found = Sampled(llama, corpus, responses.neurons, responses.site, lock, count=12)
    found.fill()
    assert len(turns) == -(-len(found.rows) // 5)
    assert all(turns)
