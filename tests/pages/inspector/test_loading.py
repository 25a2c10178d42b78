"""The steps of loading are said as they begin; who asks waits, and learns of an error."""

import threading

import pytest

from tl_experts.errors import TLExpertsError
from tl_experts.pages.inspector.loading import Loading


def test_every_step_is_said_until_the_model_is_ready():
    gate = threading.Event()
    made = object()

    def make(say):
        say("the first")
        gate.wait(10)
        say("the second")
        return made

    loading = Loading(make, steps=2)
    states = loading.progress()
    seen = [next(states)]
    while seen[-1]["step"] < 1:
        seen.append(next(states))
    assert (seen[-1]["stage"], seen[-1]["steps"]) == ("the first", 2)
    gate.set()
    seen += states
    assert seen[-1] == {"ready": True}
    assert seen[-2]["stage"] == "the second"
    assert loading.get() is made


def test_what_is_computed_ahead_begins_when_questions_are_answered():
    begin, prepared, answered = threading.Event(), threading.Event(), []

    def make(say):
        begin.wait(10)
        return "the model"

    def prepare(live):
        answered.append(loading.get() == live)
        prepared.set()

    loading = Loading(make, steps=1, then=prepare)
    begin.set()
    assert loading.get() == "the model"
    assert prepared.wait(10)
    assert answered == [True]


def test_a_model_that_cannot_be_loaded_is_said_to_everyone_who_asks():
    def fail(say):
        say("loading")
        raise OSError("no such model")

    loading = Loading(fail, steps=1)
    for ask in (loading.get, lambda: list(loading.progress()), loading.get):
        with pytest.raises(TLExpertsError, match="could not be loaded: no such model"):
            ask()


def test_a_question_waits_for_the_model_and_gives_up_in_the_end(monkeypatch):
    never = threading.Event()
    monkeypatch.setattr("tl_experts.pages.inspector.loading.WAIT", 0.01)
    with pytest.raises(TLExpertsError, match=r"not loaded after 0\.01 s"):
        Loading(lambda say: never.wait(), steps=1).get()
    never.set()
