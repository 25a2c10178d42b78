"""Questions go before what is computed ahead."""

import threading

from tl_experts.pages.inspector import turns
from tl_experts.pages.inspector.turns import Turns


def ahead(taken, order):
    """A thread that does work ahead."""

    def work():
        with taken.ahead() as goes_on:
            order.append(("ahead", goes_on))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_work_ahead_waits_until_a_question_is_answered_also_between_its_turns():
    taken, order = Turns(), []
    with taken.asked():
        with taken.question():
            work = ahead(taken, order)
        work.join(0.05)
        assert work.is_alive()
        with taken.question():
            order.append("question")
    work.join(10)
    assert order == ["question", ("ahead", True)]


def test_a_question_waits_for_the_pass_that_is_being_done():
    taken, order = Turns(), []
    begun, end = threading.Event(), threading.Event()

    def work():
        with taken.ahead():
            begun.set()
            end.wait(10)
            order.append("ahead")

    def ask():
        with taken.question():
            order.append("question")

    threads = [threading.Thread(target=work), threading.Thread(target=ask)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    end.set()
    for thread in threads:
        thread.join(10)
    assert order == ["ahead", "question"]


def test_work_ahead_ends_with_the_program_even_if_a_question_never_does(monkeypatch):
    monkeypatch.setattr(turns, "LOOK", 0.001)
    monkeypatch.setattr(turns.threading, "main_thread", lambda: threading.Thread(target=len))  # it does not run
    taken, order = Turns(), []
    with taken.asked():
        ahead(taken, order).join(10)
    assert order == [("ahead", False)]
    ahead(taken, order).join(10)
    assert order == [("ahead", False)] * 2
