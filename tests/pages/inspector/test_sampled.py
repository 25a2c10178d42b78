"""Activations that are kept are those of a pass, which is left out where they would take too much memory."""

import threading

import numpy as np
import pytest

from tl_experts.pages.inspector import sampled
from tl_experts.pages.inspector.gather import gather
from tl_experts.pages.inspector.sampled import Sampled
from tl_experts.pages.inspector.turns import Turns


@pytest.fixture
def make(llama, corpus, responses, monkeypatch):
    monkeypatch.setattr(sampled, "CHUNK", 5)
    return lambda **options: Sampled(llama, corpus, responses.neurons, responses.site, Turns(), **options)


@pytest.fixture
def passes(monkeypatch):
    """How many neurons each pass of the model was for."""
    found, whole = [], sampled.gather

    def pass_of(model, corpus, neurons, *args, **options):
        found.append(len(neurons))
        return whole(model, corpus, neurons, *args, **options)

    monkeypatch.setattr(sampled, "gather", pass_of)
    return found


def ask(found, layer, neuron):
    """The activations, and how far they were before every pass."""
    steps, far = found.of(layer, neuron), []
    while True:
        try:
            far.append(next(steps))
        except StopIteration as end:
            return end.value, far


def test_every_language_has_its_first_sentences(make, corpus):
    rows = make(count=2 * len(corpus.languages) + 1).rows
    assert rows == [row for code in corpus.languages for row in np.flatnonzero(np.array(corpus.labels) == code)[:2]]
    assert len(make(count=1).rows) == len(corpus.languages)


def test_what_is_kept_is_that_of_a_pass(make, llama, corpus, responses):
    found = make(count=12)
    expected = gather(llama, corpus.take(found.rows), [(1, 9)], responses.site, progress=False)
    by_passes, far = ask(found, 1, 9)
    assert far == [{"done": done, "of": 12} for done in (0, 5, 10)]
    found.fill()
    kept, far = ask(found, 1, 9)
    assert far == []
    for one in (by_passes, kept):
        assert (one.neurons, one.pieces, one.corpus) == (((1, 9),), expected.pieces, expected.corpus)
        np.testing.assert_array_equal(one.starts, expected.starts)
        np.testing.assert_allclose(one.values, expected.values, rtol=1e-4, atol=1e-5)


def test_what_is_kept_takes_no_pass_and_too_much_is_not_kept(make, passes, monkeypatch):
    found = make(count=12)
    monkeypatch.setattr(sampled, "KEPT_BYTES", 1000)
    found.fill()
    assert passes == []
    ask(found, 0, 3)
    assert passes == [1] * 3
    monkeypatch.setattr(sampled, "KEPT_BYTES", 2**30)
    found.fill()
    ask(found, 0, 3)
    assert passes == [1] * 3 + [96] * 3


def test_it_stops_when_the_program_ends_and_the_next_question_runs_the_rest(make, passes, monkeypatch):
    found = make(count=12)
    ended = threading.Thread(target=len)  # a thread that does not run
    threads = [threading.main_thread(), ended]
    monkeypatch.setattr("tl_experts.pages.inspector.turns.threading.main_thread", lambda: threads.pop(0))
    found.fill()
    assert passes == [96]
    assert not found.complete
    _, far = ask(found, 0, 3)
    assert far == [{"done": done, "of": 12} for done in (5, 10)]


def test_what_is_on_disk_takes_no_pass_the_next_time(make, passes, tmp_path):
    first = make(count=12, folder=tmp_path)
    assert not first.load()
    first.fill()
    expected, _ = ask(first, 1, 9)
    passes.clear()
    later = make(count=12, folder=tmp_path)
    assert later.load()
    later.fill()
    found, _ = ask(later, 1, 9)
    assert passes == []
    assert (found.pieces, found.corpus) == (expected.pieces, expected.corpus)
    np.testing.assert_array_equal(found.values, expected.values)


def test_what_is_on_disk_of_another_model_site_or_corpus_is_not_taken(llama, corpus, responses, tmp_path, monkeypatch):
    def stored(corpus=corpus, site=responses.site):
        return Sampled(llama, corpus, responses.neurons, site, Turns(), count=12, folder=tmp_path)

    stored().fill()
    assert stored().load()
    assert not stored(corpus=corpus.take([1, 0, *range(2, len(corpus))])).load()  # as many tokens
    assert not stored(site="mlp.hook_pre").load()
    monkeypatch.setattr(sampled, "model_fingerprint", lambda model: {"weights": "others"})
    assert not stored().load()
