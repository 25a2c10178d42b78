"""The model, the sentences, the experts and the spaces of the tiny study, found without the study's own code."""

import pytest

from tl_experts import (
    collect_responses,
    embed,
    load_model,
    load_sentences,
    score_responses,
    select_experts,
    steer,
)
from tl_experts.study.bench import Bench
from tl_experts.study.splits import read_splits


@pytest.fixture(scope="session")
def model(config):
    return load_model(config.model)


@pytest.fixture(scope="session")
def dev(config):
    return load_sentences("bundled", split="dev", limit=config.dev_rows).only(config.probe_languages)


@pytest.fixture(scope="session")
def held_out(config):
    return load_sentences("bundled", split="test", limit=config.test_rows).only(config.languages)


@pytest.fixture(scope="session")
def experts(config, model, dev):
    responses = collect_responses(model, dev, progress=False)
    return select_experts(score_responses(responses, progress=False), k=config.k)


@pytest.fixture(scope="session")
def spaces(model, held_out, experts):
    """The test rows as NumPy, by target ("" for pre) and language: through the public functions, not the study's."""
    found = {"": embed(model, held_out, progress=False).parallel()}
    for target in ("en", "ja"):
        with steer(model, experts[target]):
            found[target] = embed(model, held_out, progress=False).parallel()
    return {key: {language: v.numpy() for language, v in space.items()} for key, space in found.items()}


@pytest.fixture(scope="session")
def splits(config):
    return read_splits(config)


@pytest.fixture(scope="session")
def bench(config, splits, model, tmp_path_factory):
    return Bench(config, splits, model, tmp_path_factory.mktemp("bench"), progress=False)
