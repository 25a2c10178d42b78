"""LAPE as a scoring: its own rule of selection, languages without neurons, and its options."""

from dataclasses import replace

import numpy as np
import pytest

from tests.experts.by_hand import FOURTH, pairs_of, select, sets_of
from tl_experts.errors import SelectionError
from tl_experts.experts import AlignedLape, Lape
from tl_experts.experts.lape import aligned_lape, lape
from tl_experts.experts.scorings import scoring_of


@pytest.mark.parametrize(
    ("scoring", "function"),
    [(Lape(FOURTH, 0.8), lape), (AlignedLape(FOURTH, 0.8, 0.1), lambda *c, **o: aligned_lape(*c, weight=0.1, **o))],
    ids=["Lape", "AlignedLape"],
)
def test_without_a_number_lape_selects_by_its_own_rule_lowest_entropy_first(scoring, function, evidence):
    counts = evidence.tokens.gate_over_zero, evidence.tokens.tokens
    scores = function(*counts, bar_rate=0.8)
    selected = scores.selected(FOURTH)
    assert selected.any()
    experts = select(evidence, scoring=scoring)
    assert "own rule" in experts.selection
    assert "rate=0.25" in experts.metric
    table = evidence.expertise.neurons
    for row, language in zip(selected, experts.languages, strict=True):
        columns = np.flatnonzero(row)
        columns = columns[np.argsort(scores.values[columns], kind="stable")]
        assert pairs_of(experts, language) == [
            (int(table.layer_of[c]), int(table.neuron_of[c])) for c in columns.tolist()
        ]
    second = select(evidence, scoring=scoring, layers=[1])
    assert sets_of(second) == [{pair for pair in own if pair[0] == 1} for own in sets_of(experts)]


def test_a_language_without_a_neuron_keeps_its_place(evidence):
    tokens = evidence.tokens
    counts = tokens.gate_over_zero.copy()
    counts[2] = 0
    experts = select(replace_tokens(evidence, gate_over_zero=counts), scoring=Lape(FOURTH, 0.8))
    assert experts.languages == evidence.expertise.languages
    assert experts.counts[experts.languages[2]] == 0
    assert experts[experts.languages[2]].total == 0
    assert experts[experts.languages[3]].total > 0


def replace_tokens(evidence, **changes):
    return replace(evidence, tokens=replace(evidence.tokens, **changes))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Lape(rate=0), "rate is 0; expected a share"),
        (lambda: Lape(rate=1.5), "rate is 1.5"),
        (lambda: Lape(bar_rate=float("nan")), "bar_rate is nan"),
        (lambda: AlignedLape(rate="1%"), "rate is '1%'"),
        (lambda: AlignedLape(rate=True), "rate is True"),
        (lambda: AlignedLape(weight=-0.1), "weight is -0.1"),
        (lambda: AlignedLape(weight="auto"), "weight is 'auto'"),
        (lambda: scoring_of("laep"), "did you mean 'lape'"),
        (lambda: scoring_of(None), "scoring None is not known"),
        (lambda: scoring_of(Lape), "scoring <class"),
    ],
)
def test_options_of_a_scoring_that_cannot_be_are_refused(made, message):
    with pytest.raises(SelectionError, match=message):
        made()
    assert Lape(rate=1) != AlignedLape(weight=0.0)
    assert scoring_of("lape") == Lape()
