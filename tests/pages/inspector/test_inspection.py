"""The inspector shows what the model computes, and what comes from outside stays text."""

import html
import json
import re

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tl_experts import Corpus, collect_responses, find_experts
from tl_experts.errors import SelectionError, TLExpertsError
from tl_experts.pages.inspector import inspect
from tl_experts.pages.inspector.page import safe_json
from tl_experts.pages.inspector.saved import parse_neuron

EVIL = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def found(llama, corpus):
    experts = find_experts(llama, corpus, k=5, progress=False)
    return inspect(llama, experts, corpus, progress=False)


def test_responses_and_scores_are_those_of_the_whole_model(llama, corpus, found):
    responses = collect_responses(llama, corpus, progress=False)
    layers, neurons = (np.array(column) for column in zip(*found.neurons, strict=True))
    expected = responses.values[:, responses.neurons.columns_of(layers, neurons)].numpy()
    np.testing.assert_allclose(found.responses, expected, rtol=1e-5, atol=1e-5)
    labels = np.array(corpus.labels) == "ja"
    auroc = [roc_auc_score(labels, found.responses[:, column]) for column in range(len(found.neurons))]
    np.testing.assert_allclose(found.auroc[:, corpus.languages.index("ja")], auroc, atol=1e-6)


def test_sentences_are_the_extremes_of_their_language(corpus, found):
    top, bottom = found.sentences(0, "de", count=2)
    mine = [place for place, label in enumerate(corpus.labels) if label == "de"]
    order = sorted(mine, key=lambda place: -found.responses[place, 0])
    assert (top, bottom) == (order[:2], order[:-3:-1])


def test_words_from_outside_never_become_markup(llama, corpus):
    texts = {"en": [EVIL, "One.", "Two."], "de": ["Eins.", "\u202eZwei\x00.", "Drei."]}
    hostile = Corpus.from_texts(texts, name=EVIL)
    experts = find_experts(llama, corpus, k=2, progress=False)
    page = inspect(llama, experts, hostile, progress=False).to_html()
    assert "<script>alert" not in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert data["corpus"] == EVIL
    assert "".join(data["strings"][piece] for piece in data["sentences"][0][1]) == EVIL
    assert "default-src 'none'" in html.unescape(page)
    assert not re.findall(r'(?:src|href)\s*=\s*["\']?(?:https?:)?//', page)


def test_json_in_a_script_element_cannot_end_it():
    assert not set("<>&") & set(safe_json({"a": "</script>&<!--"}))


@pytest.mark.parametrize("text", ["L12 N847", "12 847", "l12n847"])
def test_a_neuron_is_read_as_people_write_it(text):
    assert parse_neuron(text) == (12, 847)


@pytest.mark.parametrize("text", ["", "L12", "N8", "L1 N2 N3"])
def test_what_is_no_neuron_is_refused(text):
    with pytest.raises(SelectionError, match="write it as L12 N847"):
        parse_neuron(text)


def test_one_language_is_refused(llama, corpus):
    experts = find_experts(llama, corpus, k=2, progress=False)
    with pytest.raises(TLExpertsError, match="one language only"):
        inspect(llama, experts, Corpus.from_texts({"en": ["One."]}), progress=False)
