"""Responses, expertise and experts of a tiny model."""

import pytest

from tl_experts import collect_responses, find_experts, score_responses


@pytest.fixture(scope="module")
def found(model_of, corpus):
    responses = collect_responses(model_of("llama"), corpus, progress=False)
    expertise = score_responses(responses, progress=False)
    return responses, expertise, find_experts(model_of("llama"), corpus, k=9, progress=False)
