"""Hooks act in the thread or task that entered their block, and nowhere else."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from tl_experts import Batching, embed, find_experts, steer
from tl_experts.errors import TLExpertsWarning
from tl_experts.experts.experts import Experts
from tl_experts.models import attached, forward_batches, text_batches
from tl_experts.models.scope import Scope

TOKENS = torch.tensor([[0, 11, 12, 13, 14, 15], [0, 21, 22, 23, 24, 25]])


@pytest.fixture(scope="module")
def experts(llama, corpus) -> Experts:
    return find_experts(llama, corpus, k=12, progress=False)


def logits(model) -> torch.Tensor:
    with torch.inference_mode():
        return model(TOKENS)


def together(*functions):
    """Run functions at once, each in a thread of its own; what they return."""
    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(function) for function in functions]]


def test_a_function_of_a_scope_does_nothing_outside_of_it():
    calls, outside = [], []
    with Scope() as scope:
        function = scope.only(calls.append, lambda: outside.append(1))
        function("inside")
        together(lambda: function("thread"))
        context = contextvars.copy_context()
        together(lambda: context.run(function, "copied context"))
    function("after")
    assert calls == ["inside", "copied context"]
    assert outside == [1, 1]


def test_threads_that_steer_one_model_get_their_own_intervention(llama, experts):
    """The passes of the threads lie inside each other's blocks: a barrier sees to that."""
    languages = ["de", "ja", "ru", None]
    expected = {}
    for language in languages[:-1]:
        with steer(llama, experts[language]):
            expected[language] = logits(llama)
    expected[None] = logits(llama)
    barrier = threading.Barrier(len(languages))

    def run(language):
        if language is None:
            barrier.wait()
            found = logits(llama)
            barrier.wait()
            return found
        with steer(llama, experts[language]):
            barrier.wait()
            found = logits(llama)
            barrier.wait()
        return found

    for _ in range(5):
        found = together(*(lambda language=language: run(language) for language in languages))
        for language, one in zip(languages, found, strict=True):
            assert torch.equal(one, expected[language]), language
    assert all(not point.fwd_hooks for point in llama.hook_dict.values())


def test_threads_that_embed_with_one_model_get_their_own_vectors(llama, corpus):
    parts = [corpus.only([language]) for language in ("en", "de", "ja")]
    expected = [embed(llama, part, progress=False).vectors for part in parts]
    for _ in range(5):
        found = together(
            *(lambda part=part: embed(llama, part, batching=Batching(token_budget=1), progress=False) for part in parts)
        )
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one.vectors, other, rtol=1e-5, atol=1e-5)


def test_a_pass_of_another_thread_keeps_its_logits_while_this_one_stops_early(bridge_of, corpus):
    """A bridge's pass without logits is left in front of the unembedding, by an exception."""
    model = bridge_of("llama")
    expected = logits(model)
    [batch, *_] = text_batches(model, corpus.texts)
    found = []

    def reader(activation, hook):
        if not found:
            found.extend(together(lambda: logits(model)))

    list(forward_batches(model, [batch], lambda _: [("blocks.0.mlp.hook_post", reader)], progress=False))
    assert torch.equal(found[0], expected)


def test_tasks_of_one_thread_get_their_own_intervention(llama, experts):
    expected = {}
    for language in ("de", "ja"):
        with steer(llama, experts[language]):
            expected[language] = logits(llama)

    async def run(language):
        with steer(llama, experts[language]):
            await asyncio.sleep(0)
            first = logits(llama)
            second = await asyncio.to_thread(logits, llama)
        return first, second

    async def main():
        return await asyncio.gather(run("de"), run("ja"))

    for language, pair in zip(("de", "ja"), asyncio.run(main()), strict=True):
        assert all(torch.equal(one, expected[language]) for one in pair)


def test_steering_only_passes_of_other_threads_warns(llama, experts):
    with (
        pytest.warns(TLExpertsWarning, match=r"1 passes ran in other threads.*copy_context"),
        steer(llama, experts["de"]),
    ):
        [found] = together(lambda: logits(llama))
    assert torch.equal(found, logits(llama))


def test_a_thread_in_a_copy_of_the_context_is_steered(llama, experts):
    with steer(llama, experts["de"]):
        expected = logits(llama)
        contexts = [contextvars.copy_context() for _ in range(3)]
        found = together(*(lambda context=context: context.run(logits, llama) for context in contexts))
    assert all(torch.equal(one, expected) for one in found)


def test_threads_that_add_and_remove_hooks_leave_none(llama):
    def work():
        for _ in range(30):
            with attached(llama, [("blocks.0.mlp.hook_post", lambda activation, hook: None)]):
                pass

    together(*[work] * 4)
    assert not llama.hook_dict["blocks.0.mlp.hook_post"].fwd_hooks
