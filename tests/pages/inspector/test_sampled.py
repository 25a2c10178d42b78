"""Activations are kept, so that no pass is repeated, unless they would take too much memory; answers grow meanwhile."""

import threading

import numpy as np
import pytest

from tl_experts.pages.inspector import sampled
from tl_experts.pages.inspector.gather import gather
from tl_experts.pages.inspector.sampled import CHUNK, Sampled, run_order
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
    """The activations in the end, and on how many sentences they rested from the first on."""
    *_, last = far = list(found.of(layer, neuron))
    return last, [len(one.corpus) for one in far]


def require_equal(found, expected):
    assert (found.neurons, found.pieces, found.corpus) == (expected.neurons, expected.pieces, expected.corpus)
    np.testing.assert_array_equal(found.starts, expected.starts)
    np.testing.assert_array_equal(found.values, expected.values)


def test_every_language_has_its_first_sentences(make, corpus):
    rows = make(count=2 * len(corpus.languages) + 1).rows
    assert rows == [row for code in corpus.languages for row in np.flatnonzero(np.array(corpus.labels) == code)[:2]]
    assert len(make(count=1).rows) == len(corpus.languages)


def test_every_answer_is_that_of_a_pass_over_the_sentences_it_rests_on(make, llama, corpus, responses):
    found = make(count=12)
    for activations in found.of(1, 9):
        expected = gather(llama, corpus.take(found.names(activations)), [(1, 9)], responses.site, progress=False)
        assert (activations.neurons, activations.pieces) == (expected.neurons, expected.pieces)
        assert activations.corpus == expected.corpus
        np.testing.assert_array_equal(activations.starts, expected.starts)
        np.testing.assert_allclose(activations.values, expected.values, rtol=1e-4, atol=1e-5)
    assert found.names(activations) == found.rows


def test_the_last_answer_has_the_same_bits_however_it_came_about(make, passes, tmp_path, monkeypatch):
    monkeypatch.setattr(sampled, "KEPT_BYTES", 1000)
    alone, far = ask(make(count=12), 1, 9)  # by passes for this neuron only
    assert (far, passes) == ([5, 10, 12], [1] * 3)
    monkeypatch.setattr(sampled, "KEPT_BYTES", 2**30)
    found = make(count=12, folder=tmp_path)
    assert not found.load()
    begun, far = ask(found, 1, 9)
    assert far == [5, 10, 12], "what was loaded is there before a pass"
    found.fill()
    filled, far = ask(found, 1, 9)
    assert far == [12]
    later = make(count=12, folder=tmp_path)
    assert later.load()
    read, far = ask(later, 1, 9)
    assert (far, passes) == ([12], [1] * 3 + [96] * 3), "no sentence was run twice for all neurons"
    for one in (begun, filled, read):
        require_equal(one, alone)


def test_what_is_kept_takes_no_pass_and_too_much_is_not_kept(make, passes, monkeypatch):
    found = make(count=12)
    monkeypatch.setattr(sampled, "KEPT_BYTES", 1000)
    found.load()
    found.fill()
    assert (passes, found.begun) == ([], False)
    ask(found, 0, 3)
    assert passes == [1] * 3
    monkeypatch.setattr(sampled, "KEPT_BYTES", 2**30)
    found.fill()
    ask(found, 0, 3)
    assert passes == [1] * 3 + [96] * 3


def test_what_a_question_has_run_is_not_run_again(make, passes, tmp_path):
    found = make(count=12, folder=tmp_path)
    answer = found.of(1, 9)
    next(answer)
    _, far = ask(found, 0, 3)  # of another neuron
    assert far == [5, 10, 12]
    assert [len(one.corpus) for one in answer] == [12]
    found.fill()
    assert passes == [96] * 3
    assert make(count=12, folder=tmp_path).load(), "and it is kept for the next time"


def test_it_stops_when_the_program_ends_and_the_next_question_runs_the_rest(make, passes, monkeypatch):
    found = make(count=12)
    ended = threading.Thread(target=len)  # a thread that does not run
    threads = [threading.main_thread(), ended]
    monkeypatch.setattr("tl_experts.pages.inspector.turns.threading.main_thread", lambda: threads.pop(0))
    found.fill()
    assert passes == [96]
    assert not found.complete
    _, far = ask(found, 0, 3)
    assert far == [5, 10, 12]


def test_the_sentences_so_far_are_of_all_languages_and_lengths():
    lengths = np.array([10 * row + code for code in range(4) for row in range(40)])
    labels = [f"l{code}" for code in range(4) for _ in range(40)]
    order = run_order(lengths, labels)
    assert sorted(order) == list(range(160))
    for done in range(CHUNK, 161, CHUNK):
        run = order[done - CHUNK : done]
        assert np.bincount(run // 40).tolist() == [CHUNK // 4] * 4
        assert np.ptp(lengths[run]) < 50, "sentences that are run together are about equally long"
    assert lengths[order[:CHUNK]].max() < 40, "the first answer comes soon"
    for done in range(3 * CHUNK, 161, CHUNK):
        assert abs(lengths[order[:done]].mean() - lengths.mean()) < 80


def test_what_is_on_disk_of_another_model_site_or_corpus_is_not_taken(llama, corpus, responses, tmp_path, monkeypatch):
    def stored(corpus=corpus, site=responses.site):
        return Sampled(llama, corpus, responses.neurons, site, Turns(), count=12, folder=tmp_path)

    stored().fill()
    assert stored().load()
    assert not stored(corpus=corpus.take([1, 0, *range(2, len(corpus))])).load()  # as many tokens
    assert not stored(site="mlp.hook_pre").load()
    with monkeypatch.context() as patched:
        patched.setattr(sampled, "run_order", lambda lengths, labels: np.arange(len(lengths)))
        assert not stored().load(), "its tokens are in another order"
    monkeypatch.setattr(sampled, "model_fingerprint", lambda model: {"weights": "others"})
    assert not stored().load()
