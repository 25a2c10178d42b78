"""Expertise and experts made by hand, without a model."""

from dataclasses import fields, replace

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.expertise import Expertise
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import select_experts
from tl_experts.responses.neurons import NeuronTable

LANGUAGES = ("en", "es", "zh-Hant")


TABLE = NeuronTable((1, 4, 7), (3, 5, 4))


PAIRS = [(layer, neuron) for layer, width in ((1, 3), (4, 5), (7, 4)) for neuron in range(width)]


GRID = (0.0, 0.25, 0.5, float(np.nextafter(np.float32(0.5), np.float32(1))), 0.9, 1.0)


SCORES = arrays(np.float32, (len(PAIRS), len(LANGUAGES)), elements=st.sampled_from(GRID), fill=st.nothing())


def expertise_of(auroc, *, table=TABLE, languages=LANGUAGES, **others) -> Expertise:
    """Expertise without responses: the given AUROC, all other statistics distinct random numbers."""
    generator = np.random.default_rng(7)
    shape = (table.total, len(languages))
    statistics = {name: generator.random(shape, dtype=np.float32) for name in STATISTICS}
    statistics |= {"auroc": np.asarray(auroc, np.float32).reshape(shape)}
    statistics |= {name: np.asarray(value, np.float32).reshape(shape) for name, value in others.items()}
    fingerprint = {"weights": "0123456789abcdef", "tokenizer": "fedcba9876543210"}
    return Expertise(
        languages, table, **statistics, site="mlp.hook_pre", pooling="mean", corpus="c0ffee", fingerprint=fingerprint
    )


def experts_of(sets, *, table=TABLE) -> Experts:
    """Experts of hand-made sets of (layer, neuron)."""
    rows = [(index, *pair) for index, pairs in enumerate(sets.values()) for pair in pairs]
    language_of, layer, neuron = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    statistics = {name: np.linspace(0, 1, len(rows), dtype=np.float32) for name in STATISTICS}
    return Experts(
        tuple(sets), language_of, layer, neuron, statistics, table, "mlp.hook_post", "max", "auroc", "by hand", "c", {}
    )


QUIET = {"progress": False}

FOURTH = 0.25
"""A share of neurons: of the tiny model's 96, the published 1% is too few."""


def select(evidence, **options):
    """Experts from all of the evidence."""
    return select_experts(evidence.expertise, responses=evidence.responses, tokens=evidence.tokens, **options)


def sets_of(experts):
    """The set of (layer, neuron) pairs of each language."""
    return [set(pairs_of(experts, language)) for language in experts.languages]


def pairs_of(experts, language):
    """The (layer, neuron) pairs of a language, in their order."""
    mine = experts.language_of == experts.languages.index(language)
    return list(zip(experts.layer[mine].tolist(), experts.neuron[mine].tolist(), strict=True))


def assert_same(one, other):
    """Equal in every field, bit by bit and in dtype."""
    assert type(one) is type(other)
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        assert type(mine) is type(theirs), field.name
        if field.name == "statistics":
            assert list(mine) == list(theirs)
        elif not isinstance(mine, np.ndarray):
            assert mine == theirs, field.name
        for a, b in (
            zip(mine.values(), theirs.values(), strict=True) if field.name == "statistics" else [(mine, theirs)]
        ):
            if isinstance(a, np.ndarray):
                assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), field.name


def assert_even(draws, expected):
    """Every neuron drawn about equally often: within four standard deviations."""
    counts = np.array([draws.count(pair) for pair in expected])
    share = len(draws) / len(expected)
    assert counts.sum() == len(draws)
    assert np.abs(counts - share).max() < 4 * np.sqrt(share)


def example() -> Experts:
    """Four experts of two languages, as they could have been found."""
    made = experts_of({"es": [(1, 0), (4, 2), (7, 3)], "no": [(4, 1)]})
    return replace(made, fingerprint={"weights": "0123456789abcdef"}, corpus="c0ffee", selection="top 3")
