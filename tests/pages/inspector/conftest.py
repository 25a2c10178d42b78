"""A tiny model's experts and all its responses, for the parts of the inspector."""

import pytest

from tl_experts import collect_responses, find_experts


@pytest.fixture(scope="module")
def experts(llama, corpus):
    return find_experts(llama, corpus, k=5, progress=False)


@pytest.fixture(scope="module")
def responses(llama, corpus):
    return collect_responses(llama, corpus, progress=False)
