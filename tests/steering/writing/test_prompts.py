"""The bundled prompts."""

import pytest

from tl_experts import load_prompts
from tl_experts.errors import TLExpertsError


def test_prompts_are_aligned_and_of_two_domains():
    english, japanese = load_prompts("en"), load_prompts("ja")
    assert len(english) == len(japanese) == 40
    assert english[0] == "Every Sunday, my grandmother"
    halves = [load_prompts("en", domain=domain) for domain in ("general", "computers")]
    assert [len(half) for half in halves] == [20, 20]
    assert set(english) == {*halves[0], *halves[1]}


def test_an_unknown_language_or_domain_raises_an_error():
    with pytest.raises(TLExpertsError, match="no bundled prompts in 'fi'; they are in de, en"):
        load_prompts("fi")
    with pytest.raises(TLExpertsError, match="domain 'news' is not known"):
        load_prompts("en", domain="news")
