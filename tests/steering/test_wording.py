"""Names of methods in words: every scoring that there is, and names that are no method's stay as they are."""

import pytest

from tl_experts.experts.scorings import SCORINGS
from tl_experts.steering.steering import TOKEN_VALUES, VALUES
from tl_experts.steering.tuning.space import SHIFTS
from tl_experts.steering.wording import SCORINGS as WORDS
from tl_experts.steering.wording import held, in_words
from tl_experts.study.comparison.config import CompareConfig
from tl_experts.study.comparison.methods import methods


def test_every_scoring_has_words_and_no_two_the_same():
    assert set(WORDS) == {*SCORINGS, *SHIFTS}
    assert len(set(WORDS.values())) == len(WORDS)


def test_methods_that_differ_have_words_that_differ():
    holds = tuple(f"{operation} {value}" for operation in ("set", "add", "raise") for value in (*VALUES, *TOKEN_VALUES))
    found = methods(CompareConfig("all", "polyglot-mini", scorings=tuple(SCORINGS), holds=holds))
    assert len({in_words(method.name) for method in found}) == len(found)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("lape, add token_mean", "LAPE, token mean added"),
        ("probe, raise mean", "sparse probe, raised to the mean"),
        ("auroc, damp median", "AUROC, damp median"),
    ],
)
def test_a_method_is_written_in_words(method, words):
    assert in_words(method) == words


@pytest.mark.parametrize(
    "other",
    [
        "no intervention",
        "all neurons, difference of means",
        "prompt: answer in the language",
        "mine, set mean",
        "auroc",
    ],
)
def test_what_is_not_a_scoring_and_an_operation_stays(other):
    assert in_words(other) == other


def test_an_operation_without_words_keeps_its_name():
    assert held("scale", "mean") == "scale the mean"
