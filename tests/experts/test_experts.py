"""Experts: one language of them, the first of each, tables, the model they belong to."""

from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from tests.experts.by_hand import LANGUAGES, assert_same, experts_of, pairs_of
from tl_experts.errors import ArtefactError, SelectionError
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import find_experts, select_experts

# --- the experts of one language, the first of each, tables ---


def test_indexing_gives_the_experts_of_one_language(expertise):
    experts = select_experts(expertise, threshold=0.5)
    assert len(set(experts.counts.values())) > 1
    for index, language in enumerate(LANGUAGES):
        one, rows = experts[language], experts.language_of == index
        assert one.languages == (language,)
        assert one.counts == {language: experts.counts[language]}
        assert pairs_of(one, language) == pairs_of(experts, language)
        assert one.neurons_of(language) == set(pairs_of(experts, language))
        for name in STATISTICS:
            np.testing.assert_array_equal(one.statistics[name], experts.statistics[name][rows])
        assert (one.candidates, one.selection) == (experts.candidates, experts.selection)


@pytest.mark.parametrize(("code", "short"), [("spa_Latn", "es"), ("eng", "en"), ("zho_Hant", "zh-Hant"), ("ES", "es")])
def test_any_code_of_a_language_finds_its_experts(experts, code, short):
    assert_same(experts[code], experts[short])


def test_a_language_without_experts_is_refused_and_one_with_them_given(experts):
    with pytest.raises(SelectionError, match=r"no experts of 'fra_Latn' here; .*'en', 'es', 'zh-Hant'"):
        experts["fra_Latn"]
    with pytest.raises(SelectionError, match=r"no experts of 'zh' here; .*'zh-Hant'"):
        experts["zh"]
    assert experts["zh-Hant"].total == 3


@pytest.mark.parametrize("how", ["top", "bottom"])
def test_head_is_the_selection_of_fewer(expertise, how):
    head = select_experts(expertise, k=5, how=how).head(2)
    fewer = select_experts(expertise, k=2, how=how)
    assert_same(replace(head, selection=fewer.selection), fewer)
    assert "first 2" in head.selection


def test_head_beyond_the_smallest_language_is_refused():
    experts = experts_of({"en": [(1, 0), (1, 1), (4, 0)], "es": [(1, 0), (7, 3)]})
    assert experts.head(2).counts == {"en": 2, "es": 2}
    with pytest.raises(SelectionError, match=r"head\(3\): es has 2 experts; give 1 to 2"):
        experts.head(3)
    assert experts["en"].head(3).counts == {"en": 3}
    with pytest.raises(SelectionError, match=r"head\(0\): en has 3 experts; give 1 to 3"):
        experts.head(0)
    assert experts.head(1).counts == {"en": 1, "es": 1}


def test_table_has_a_row_per_expert_ranked_from_one_within_its_language():
    experts = experts_of({"en": [(4, 2), (1, 1), (7, 0)], "es": [(7, 3), (1, 0)]})
    table = experts.to_pandas()
    assert list(table.columns) == ["language", "rank", "layer", "neuron", *STATISTICS]
    assert table["language"].tolist() == ["en", "en", "en", "es", "es"]
    assert table["rank"].tolist() == [1, 2, 3, 1, 2]
    assert table["layer"].tolist() == [4, 1, 7, 7, 1]
    assert table["neuron"].tolist() == [2, 1, 0, 3, 0]
    for name in STATISTICS:
        assert table[name].tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert experts["es"].to_pandas()["rank"].tolist() == [1, 2]


def test_overlap_is_the_jaccard_index_of_every_pair_of_languages():
    # Shared by en and es: (4, 0) of (1, 0), (4, 0), (4, 1), (7, 0). Neuron 0 of different layers is not shared.
    sets = {"en": [(1, 0), (4, 0)], "es": [(4, 1), (4, 0), (7, 0)], "zh-Hant": [(7, 1)], "de": [(4, 0), (1, 0)]}
    table = experts_of(sets).overlap()
    assert list(table.index) == list(table.columns) == list(sets)
    expected = [[1, 1 / 4, 0, 1], [1 / 4, 1, 0, 1 / 4], [0, 0, 1, 0], [1, 1 / 4, 0, 1]]
    np.testing.assert_array_equal(table.to_numpy(), expected)


# --- frozen ---


@pytest.mark.parametrize("name", [field.name for field in fields(Experts)])
def test_experts_are_frozen(experts, name):
    with pytest.raises(FrozenInstanceError, match=name):
        setattr(experts, name, getattr(experts, name))


def test_comparing_experts_gives_a_truth_value_and_no_error(expertise):
    one, other = select_experts(expertise, k=3), select_experts(expertise, k=2)
    assert (one != other) is True
    assert (one == select_experts(expertise, k=3)) in (True, False)


def test_experts_of_a_model_are_accepted_by_it_in_either_class(llama, model_of, bridge_of, corpus):
    experts = find_experts(llama, corpus, k=2, progress=False)
    for same in (llama, model_of("llama"), bridge_of("llama")):
        experts.require_model(same)


def test_experts_of_another_model_are_refused_naming_the_fields_that_differ(llama, model_of, corpus):
    experts = find_experts(llama, corpus, k=2, progress=False)
    experts.require_model(llama)
    with pytest.raises(ArtefactError, match=r"another model: weights differ \(weights \w{16} against \w{16}\)"):
        experts.require_model(model_of("gpt2"))
    retokenized = replace(experts, fingerprint=experts.fingerprint | {"tokenizer": "0" * 16})
    with pytest.raises(ArtefactError, match=r"another model: tokenizer differs \(tokenizer 0{16} against \w{16}\)"):
        retokenized.require_model(llama)
    with pytest.raises(ArtefactError, match=r"another model: weights and tokenizer differ"):
        retokenized.require_model(model_of("gpt2"))
    with pytest.raises(ArtefactError, match="another version of tl-experts made it"):
        replace(experts, fingerprint={}).require_model(llama)


# --- a mapping from languages ---


def test_experts_are_a_mapping_from_languages(experts):
    assert list(experts) == list(LANGUAGES) == list(experts.keys())
    assert len(experts) == len(LANGUAGES) == len(list(experts))
    assert experts.total == sum(experts.counts.values()) == 9
    assert [one.languages for one in experts.values()] == [(language,) for language in LANGUAGES]
    for language, one in experts.items():
        assert_same(one, experts[language])
    assert dict(experts).keys() == set(LANGUAGES)
    assert len(experts["es"]) == 1
    assert experts["es"].total == 3


@pytest.mark.parametrize("code", ["es", "spa_Latn", "ES", "spa"])
def test_a_language_is_in_the_experts_by_any_of_its_codes(experts, code):
    assert code in experts
    assert code not in experts["en"]


@pytest.mark.parametrize("other", ["fr", "klingon", "", 5, None, ("es",)])
def test_what_has_no_experts_is_not_in_them(experts, other):
    assert other not in experts


@pytest.mark.parametrize("k", [2.5, True, "2", None])
def test_head_takes_a_whole_number(experts, k):
    with pytest.raises(SelectionError, match=f"k is {k!r}; expected a whole number"):
        experts.head(k)
    assert experts.head(np.int64(2)).counts == dict.fromkeys(LANGUAGES, 2)
