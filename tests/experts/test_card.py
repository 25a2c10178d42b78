"""The card of experts names what they are, and no more than is known."""

from dataclasses import replace

import pytest

from tests.experts.by_hand import example
from tl_experts.experts.card import card
from tl_experts.experts.experts import Experts


@pytest.fixture
def experts() -> Experts:
    return example()


def test_the_card_names_model_corpus_and_how_they_were_found(experts):
    text = card(experts, "me/es-experts", model="org/model", corpus="FLORES | dev", version="1.2")
    assert 'base_model: "org/model"' in text
    assert '- "no"' in text, "YAML reads a bare no as false"
    assert "| es | 3 | 0.6667 | 0.3333 | 2, 4, 6 |" in text
    assert "weights 0123456789abcdef" in text
    assert "FLORES \\| dev, fingerprint c0ffee" in text
    assert "top 3, ranked by auroc" in text
    assert 'Experts.from_pretrained("me/es-experts")' in text
    assert "12 neurons in 3 layers" in text


def test_the_card_is_honest_about_what_is_not_known(experts):
    text = card(experts.random_control(seed=0), "me/control", model=None, corpus=None, version="1.2")
    assert "base_model" not in text
    assert "known by its fingerprint only" in text
    assert "| es | 3 |  |  |" in text, "random neurons have no AUROC of their own"


def test_text_in_a_card_never_becomes_markup(experts):
    text = card(replace(experts, selection="a\n# b <script>"), "me/x", model="m`|<b>", corpus=None, version="1")
    assert "<script>" not in text
    assert "\n# b" not in text
