"""Evidence: its parts belong together, and what is missing is named."""

from dataclasses import fields, replace

import pytest

from tl_experts import select_experts
from tl_experts.errors import SelectionError
from tl_experts.experts import Lape
from tl_experts.experts.evidence import needs_quantiles, needs_tokens, with_tokens
from tl_experts.experts.scorings import SCORINGS


def test_evidence_of_another_pass_is_refused(evidence):
    tokens, responses = evidence.tokens, evidence.responses
    for change in (
        {"tokens": replace(tokens, fingerprint={"weights": "x"})},
        {"tokens": replace(tokens, site="mlp.hook_pre")},
        {"tokens": replace(tokens, languages=("en", "de", "ru", "fr"))},
        {"responses": replace(responses, site="mlp.hook_pre")},
        {"responses": replace(responses, corpus=replace(responses.corpus, texts=responses.corpus.texts[::-1]))},
    ):
        with pytest.raises(SelectionError, match="differ in"):
            replace(evidence, **change)
    assert {field.name for field in fields(evidence)} == {"expertise", "responses", "tokens"}


def test_what_a_scoring_needs_and_was_not_given_is_named(evidence):
    with pytest.raises(SelectionError, match="tokens=collect_statistics"):
        select_experts(evidence.expertise, k=2, scoring="lape")
    with pytest.raises(SelectionError, match="responses=collect_responses"):
        select_experts(evidence.expertise, k=2, scoring="mean_difference")


def test_a_scoring_declares_whether_it_needs_statistics_of_tokens():
    of_tokens = {name for name, scoring in SCORINGS.items() if needs_tokens(scoring)}
    assert of_tokens == {"token_mean_difference", "lape", "aligned_lape", "dln"}
    assert {name for name, scoring in SCORINGS.items() if needs_quantiles(scoring)} == {"dln"}
    assert needs_tokens(Lape(rate=0.5)) is True
    assert needs_tokens(SCORINGS["auroc"]) is False
    assert needs_tokens(lambda evidence: evidence.expertise.ap) is None
    assert needs_tokens(with_tokens(False)(lambda evidence: evidence.expertise.ap)) is False
