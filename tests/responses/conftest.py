"""A model, and shards small enough that a few sentences fill several."""

import pytest


@pytest.fixture
def small_parts(monkeypatch):
    """Seven sentences per shard: the 24 sentences are four shards, of which the last is short."""
    monkeypatch.setattr("tl_experts.responses.collect.PART", 7)


@pytest.fixture(scope="session")
def model(model_of):
    return model_of("llama")
