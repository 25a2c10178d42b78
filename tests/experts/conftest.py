"""Expertise and experts that several files test."""

import numpy as np
import pytest

from tests.experts import scoring
from tests.experts.by_hand import GRID, LANGUAGES, PAIRS, QUIET, expertise_of
from tl_experts import collect_both, score_responses
from tl_experts.experts.evidence import Evidence
from tl_experts.experts.find import select_experts


@pytest.fixture(scope="session")
def evidence(model_of, corpus):
    """Responses and statistics of tokens of a tiny model: 96 neurons, 24 sentences, 4 languages."""
    responses, tokens = collect_both(model_of("llama"), corpus, quantiles=True, **QUIET)
    return Evidence(score_responses(responses, **QUIET), responses, tokens)


@pytest.fixture
def expertise():
    """12 neurons in three layers, their AUROCs with ties."""
    return expertise_of(np.random.default_rng(0).choice(GRID, (len(PAIRS), len(LANGUAGES))))


@pytest.fixture
def experts(expertise):
    """The three best of each language."""
    return select_experts(expertise, k=3)


@pytest.fixture(scope="module")
def wide():
    """1,000 sentences x 400 neurons, a third of them tied: several chunks of columns."""
    generator = np.random.default_rng(3)
    values = generator.standard_normal((1_000, 400)).astype(np.float32)
    values[:, ::3] = values[:, ::3].round(1)
    return values, [scoring.LANGUAGES[i] for i in generator.integers(0, 4, 1_000)]
