"""Experts are the best neurons over all layers, told apart, kept, compared and brought back as they were."""

import json
import re
from dataclasses import FrozenInstanceError, fields, replace

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors.numpy import load, save
from safetensors.torch import save as save_torch

from tl_experts.errors import ArtefactError, SelectionError
from tl_experts.experts import find as selection
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.expertise import Expertise, score_responses
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import find_experts, select_experts
from tl_experts.jobs.files import load_artefact, save_artefact
from tl_experts.responses.collect import collect_responses
from tl_experts.responses.neurons import NeuronTable

LANGUAGES = ("en", "es", "zh-Hant")
TABLE = NeuronTable((1, 4, 7), (3, 5, 4))
PAIRS = [(layer, neuron) for layer, width in ((1, 3), (4, 5), (7, 4)) for neuron in range(width)]
GRID = (0.0, 0.25, 0.5, float(np.nextafter(np.float32(0.5), np.float32(1))), 0.9, 1.0)
SCORES = arrays(np.float32, (len(PAIRS), len(LANGUAGES)), elements=st.sampled_from(GRID), fill=st.nothing())


def expertise_of(auroc, *, table=TABLE, languages=LANGUAGES, **others) -> Expertise:
    """Expertise without responses: the given AUROC, all other statistics distinct random numbers."""
    generator = np.random.default_rng(7)
    shape = (table.total, len(languages))
    statistics = {name: generator.random(shape, dtype=np.float32) for name in STATISTICS}
    statistics |= {"auroc": np.asarray(auroc, np.float32).reshape(shape)}
    statistics |= {name: np.asarray(value, np.float32).reshape(shape) for name, value in others.items()}
    fingerprint = {"weights": "0123456789abcdef", "tokenizer": "fedcba9876543210"}
    return Expertise(
        languages, table, **statistics, site="mlp.hook_pre", pooling="mean", corpus="c0ffee", fingerprint=fingerprint
    )


def experts_of(sets, *, table=TABLE) -> Experts:
    """Experts of hand-made sets of (layer, neuron)."""
    rows = [(place, *pair) for place, pairs in enumerate(sets.values()) for pair in pairs]
    language_of, layer, neuron = np.array(rows, dtype=np.int64).T
    statistics = {name: np.linspace(0, 1, len(rows), dtype=np.float32) for name in STATISTICS}
    return Experts(
        tuple(sets), language_of, layer, neuron, statistics, table, "mlp.hook_post", "max", "auroc", "by hand", "c", {}
    )


def pairs_of(experts, language):
    """The (layer, neuron) pairs of a language, in their order."""
    mine = experts.language_of == experts.languages.index(language)
    return list(zip(experts.layer[mine].tolist(), experts.neuron[mine].tolist(), strict=True))


def assert_same(one, other):
    """Equal in every field, bit by bit and in dtype."""
    assert type(one) is type(other)
    for field in fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        assert type(mine) is type(theirs), field.name
        if field.name == "statistics":
            assert list(mine) == list(theirs)
        elif not isinstance(mine, np.ndarray):
            assert mine == theirs, field.name
        for a, b in (
            zip(mine.values(), theirs.values(), strict=True) if field.name == "statistics" else [(mine, theirs)]
        ):
            if isinstance(a, np.ndarray):
                assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), field.name


@pytest.fixture
def expertise():
    """12 neurons in three layers, their AUROCs with ties."""
    return expertise_of(np.random.default_rng(0).choice(GRID, (len(PAIRS), len(LANGUAGES))))


@pytest.fixture
def experts(expertise):
    """The three best of each language."""
    return select_experts(expertise, k=3)


@pytest.fixture
def unchecked(monkeypatch):
    """What a user sees: no type checker in front of the package's own messages."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


# --- selection ---


@settings(max_examples=100, deadline=None)
@given(SCORES, st.integers(1, len(PAIRS)), st.sampled_from(["auroc", "ap"]))
def test_top_k_are_a_plain_argsort_over_all_layers(scores, k, metric):
    expertise = expertise_of(scores, ap=scores) if metric == "auroc" else expertise_of(1 - scores, ap=scores)
    experts = select_experts(expertise, k=k, metric=metric)
    assert experts.counts == dict.fromkeys(LANGUAGES, k)
    for place, language in enumerate(LANGUAGES):
        order = np.argsort(-scores[:, place], kind="stable")[:k]
        assert pairs_of(experts, language) == [PAIRS[i] for i in order]


@settings(max_examples=100, deadline=None)
@given(SCORES, st.integers(1, len(PAIRS)))
def test_bottom_k_are_the_same_argsort_from_the_other_end(scores, k):
    experts = select_experts(expertise_of(scores), k=k, how="bottom")
    for place, language in enumerate(LANGUAGES):
        order = np.argsort(scores[:, place], kind="stable")[:k]
        assert pairs_of(experts, language) == [PAIRS[i] for i in order]


@pytest.mark.parametrize("how", ["top", "bottom"])
@pytest.mark.parametrize("metric", ["auroc", "ap"])
def test_equal_scores_are_taken_in_order_of_layer_and_neuron(how, metric):
    experts = select_experts(expertise_of(np.full(36, 0.5), ap=np.full(36, 0.5)), k=7, how=how, metric=metric)
    assert all(pairs_of(experts, language) == PAIRS[:7] for language in LANGUAGES)


@settings(max_examples=100, deadline=None)
@given(SCORES, st.sampled_from(GRID), st.none() | st.integers(1, 20), st.sampled_from(["top", "bottom"]))
def test_a_threshold_keeps_all_who_reach_it_and_k_the_first_of_them(scores, threshold, k, how):
    limit = np.float32(threshold)
    expected = []
    for column in scores.T:
        order = np.argsort(-column if how == "top" else column, kind="stable")
        expected.append([PAIRS[i] for i in order if (column[i] >= limit if how == "top" else column[i] <= limit)][:k])
    if all(expected):
        experts = select_experts(expertise_of(scores), threshold=threshold, k=k, how=how)
        assert [pairs_of(experts, language) for language in LANGUAGES] == expected
    else:
        with pytest.raises(
            SelectionError, match=f"threshold {re.escape(str(threshold))} for {LANGUAGES[expected.index([])]}"
        ):
            select_experts(expertise_of(scores), threshold=threshold, k=k, how=how)


@pytest.mark.parametrize("number", [float, np.float64], ids=lambda number: number.__name__)
def test_a_score_of_nine_tenths_reaches_a_threshold_of_nine_tenths_whatever_its_number_type(number):
    experts = select_experts(expertise_of(np.full(36, 0.9)), threshold=number(0.9))
    assert experts.counts == dict.fromkeys(LANGUAGES, 12)


def test_k_is_500_where_neither_k_nor_threshold_is_given():
    def wide(width):
        return expertise_of(np.linspace(0, 1, 3 * width), table=NeuronTable((0,), (width,)))

    assert select_experts(wide(501)).counts == dict.fromkeys(LANGUAGES, 500)
    with pytest.raises(SelectionError, match="k is 500, but there are 499 neurons"):
        select_experts(wide(499))


@pytest.mark.parametrize("how", ["top", "bottom", "random"])
@pytest.mark.parametrize("layers", [[4], [7, 1], (1, 4, 7), range(4, 5)])
def test_a_layers_filter_leaves_only_those_layers(expertise, how, layers):
    allowed = [i for i, (layer, _) in enumerate(PAIRS) if layer in layers]
    experts = select_experts(expertise, k=3, how=how, layers=layers)
    assert set(experts.layer.tolist()) <= set(layers)
    if how != "random":
        sign = -1 if how == "top" else 1
        for place, language in enumerate(LANGUAGES):
            order = np.argsort(sign * expertise.auroc[allowed, place], kind="stable")[:3]
            assert pairs_of(experts, language) == [PAIRS[allowed[i]] for i in order]
    everyone = select_experts(expertise, k=len(allowed), how=how, layers=layers)
    assert all(sorted(pairs_of(everyone, language)) == [PAIRS[i] for i in allowed] for language in LANGUAGES)


@pytest.mark.parametrize("how", ["top", "bottom", "random"])
def test_statistics_are_each_neurons_own_for_its_own_language(expertise, how):
    experts = select_experts(expertise, k=5, how=how)
    assert list(experts.statistics) == list(STATISTICS)
    columns = [PAIRS.index(pair) for language in LANGUAGES for pair in pairs_of(experts, language)]
    for name in STATISTICS:
        expected = getattr(expertise, name)[columns, np.repeat([0, 1, 2], 5)]
        np.testing.assert_array_equal(experts.statistics[name], expected)


def test_experts_remember_what_they_were_selected_from(expertise):
    experts = select_experts(expertise, k=2, metric="ap")
    for name in ("languages", "site", "pooling", "corpus", "fingerprint"):
        assert getattr(experts, name) == getattr(expertise, name)
    assert experts.candidates == expertise.neurons
    assert experts.metric == "ap"
    assert len(experts) == 6


def test_candidates_are_the_neurons_the_experts_were_chosen_from(expertise):
    assert select_experts(expertise, k=2, layers=[7, 1]).candidates == NeuronTable((1, 7), (3, 4))


def test_random_experts_are_distinct_the_same_for_a_seed_and_others_for_another(expertise):
    one, again, other = (select_experts(expertise, k=6, how="random", seed=seed) for seed in (1, 1, 2))
    assert_same(one, again)
    for language in LANGUAGES:
        assert len(set(pairs_of(one, language))) == 6
    assert [pairs_of(one, language) for language in LANGUAGES] != [pairs_of(other, language) for language in LANGUAGES]
    assert len({tuple(pairs_of(one, language)) for language in LANGUAGES}) == 3


def assert_even(draws, expected):
    """Every neuron drawn about equally often: within four standard deviations."""
    counts = np.array([draws.count(pair) for pair in expected])
    share = len(draws) / len(expected)
    assert counts.sum() == len(draws)
    assert np.abs(counts - share).max() < 4 * np.sqrt(share)


def test_random_experts_are_spread_evenly_over_all_neurons(expertise):
    draws = [select_experts(expertise, k=3, how="random", seed=seed) for seed in range(1_000)]
    for language in LANGUAGES:
        assert_even([pair for experts in draws for pair in pairs_of(experts, language)], PAIRS)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("refused", "message", "accepted"),
    [
        ({"k": 0}, "k is 0; expected at least 1", {"k": 1}),
        ({"k": -3}, "k is -3; expected at least 1", {"k": 3}),
        ({"k": 13}, "k is 13, but there are 12 neurons", {"k": 12}),
        ({"k": 13, "how": "random"}, "k is 13, but there are 12 neurons", {"k": 12, "how": "random"}),
        ({"k": 4, "layers": [1]}, "k is 4, but there are 3 neurons", {"k": 3, "layers": [1]}),
        ({}, "k is 500, but there are 12 neurons", {"threshold": 0.0}),
        ({"threshold": 1.01}, "threshold is 1.01; .* between 0 and 1", {"threshold": 0.89}),
        ({"threshold": -0.01}, "threshold is -0.01; .* between 0 and 1", {"threshold": 0.0}),
        ({"threshold": float("nan")}, "threshold is nan; .* between 0 and 1", {"threshold": 0.5}),
        ({"threshold": 0.95}, "no neuron reaches threshold 0.95 for en; its best is 0.900", {"threshold": 0.9}),
        ({"threshold": 0.5, "how": "random"}, "how='random' takes k, not a threshold", {"k": 5, "how": "random"}),
        ({"k": 1, "metric": "auc"}, "metric 'auc' is not known; .*'auroc'", {"k": 1, "metric": "ap"}),
        ({"k": 1, "how": "buttom"}, "how 'buttom' is not known; did you mean 'bottom'", {"k": 1, "how": "bottom"}),
        ({"k": 1, "layers": [1, 2]}, r"layers \[1, 2\]: ", {"k": 1, "layers": [1, 4]}),
        ({"k": 1, "layers": [-1]}, r"layers \[-1\]: ", {"k": 1, "layers": [7]}),
        ({"k": 1, "layers": []}, r"layers \[\]: ", {"k": 1, "layers": None}),
    ],
    ids=str,
)
def test_a_selection_that_cannot_be_made_is_refused_and_its_neighbour_made(refused, message, accepted):
    expertise = expertise_of(np.repeat(np.linspace(0, 0.9, 12), 3))
    with pytest.raises(SelectionError, match=message):
        select_experts(expertise, **refused)
    assert len(select_experts(expertise, **accepted)) >= 3


def test_refusing_a_layer_names_the_layers_that_were_scored(expertise):
    with pytest.raises(SelectionError) as refusal:
        select_experts(expertise, k=1, layers=[5])
    assert set(re.findall(r"\d+", str(refusal.value))) == {"5", "1", "4", "7"}


def test_refusing_a_bottom_threshold_names_the_lowest_score():
    expertise = expertise_of(np.repeat(np.linspace(0.25, 0.875, 12), 3))
    assert len(select_experts(expertise, threshold=0.25, how="bottom")) == 3
    with pytest.raises(SelectionError, match=r"threshold 0.125 for en; .*0\.250"):
        select_experts(expertise, threshold=0.125, how="bottom")


def test_refusing_a_threshold_names_the_best_of_the_layers_asked_for():
    expertise = expertise_of(np.repeat(np.linspace(0, 0.99, 12), 3))  # the best of layer 1, the first, has 0.18
    assert len(select_experts(expertise, threshold=0.17, layers=[1])) == 3
    with pytest.raises(SelectionError, match=r"threshold 0.5 for en; its best is 0\.180"):
        select_experts(expertise, threshold=0.5, layers=[1])


# --- the experts of one language, the first of each, tables ---


def test_indexing_gives_the_experts_of_one_language(expertise):
    experts = select_experts(expertise, threshold=0.5)
    assert len(set(experts.counts.values())) > 1
    for place, language in enumerate(LANGUAGES):
        one, rows = experts[language], experts.language_of == place
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
    assert len(experts["zh-Hant"]) == 3


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


# --- random control ---


def test_a_random_control_has_as_many_other_neurons_at_the_same_values(experts):
    control = experts.random_control(seed=0)
    assert control.counts == experts.counts
    np.testing.assert_array_equal(control.language_of, experts.language_of)
    for language in LANGUAGES:
        drawn = pairs_of(control, language)
        assert len(set(drawn)) == len(drawn)
        assert set(drawn) <= set(PAIRS) - set(pairs_of(experts, language))
    for name in STATISTICS:
        if name in ("auroc", "ap"):
            assert np.isnan(control.statistics[name]).all()
        else:
            assert control.statistics[name].tobytes() == experts.statistics[name].tobytes()


def test_a_random_control_is_the_same_for_a_seed_and_another_for_another(experts):
    assert_same(experts.random_control(seed=5), experts.random_control(seed=5))
    drawn = {
        str([pairs_of(experts.random_control(seed=seed), language) for language in LANGUAGES]) for seed in range(9)
    }
    assert len(drawn) == 9


def test_random_controls_are_spread_evenly_over_the_neurons_that_are_no_experts(experts):
    controls = [experts.random_control(seed=seed) for seed in range(1_000)]
    for language in LANGUAGES:
        others = [pair for pair in PAIRS if pair not in pairs_of(experts, language)]
        assert_even([pair for control in controls for pair in pairs_of(control, language)], others)


def test_the_control_of_one_language_is_that_language_of_the_control_of_all(experts):
    whole = experts.random_control(seed=3)
    for language in LANGUAGES:
        assert_same(experts[language].random_control(seed=3), whole[language])


def test_controls_of_single_languages_are_drawn_independently_of_each_other():
    # The same expert in every language: only the draws can differ.
    table = NeuronTable((0,), (1_000,))
    experts = experts_of({language: [(0, n) for n in range(10)] for language in LANGUAGES}, table=table)
    drawn = {language: pairs_of(experts[language].random_control(seed=0), language) for language in LANGUAGES}
    assert len({tuple(pairs) for pairs in drawn.values()}) == 3


def test_the_control_of_experts_of_some_layers_stays_in_those_layers(expertise):
    for seed in range(20):
        control = select_experts(expertise, k=2, layers=[4, 7]).random_control(seed=seed)
        assert set(control.layer.tolist()) <= {4, 7}


def test_a_control_of_more_experts_than_other_neurons_is_refused(expertise):
    assert len(select_experts(expertise, k=6).random_control(seed=0)) == 18
    with pytest.raises(SelectionError, match="7 en experts leave 5 other neurons; lower k"):
        select_experts(expertise, k=7).random_control(seed=0)


def test_a_layer_matched_control_has_as_many_other_neurons_in_every_layer_at_the_same_values(experts):
    for seed in range(20):
        control = experts.random_control(seed=seed, match_layers=True)
        np.testing.assert_array_equal(control.layer, experts.layer)
        for language in LANGUAGES:
            drawn = pairs_of(control, language)
            assert len(set(drawn)) == len(drawn)
            assert not set(drawn) & set(pairs_of(experts, language))
        assert control.statistics["mean"].tobytes() == experts.statistics["mean"].tobytes()
    assert "same layers" in control.selection
    assert_same(control, experts.random_control(seed=19, match_layers=True))


def test_a_layer_matched_control_needs_room_in_the_layer_itself():
    table = NeuronTable((0, 1), (3, 10))
    two = experts_of({"en": [(0, 0), (0, 1)], "de": [(1, 0)]}, table=table)
    assert len(two.random_control(seed=0)) == 3
    with pytest.raises(SelectionError, match="2 en experts of layer 0 leave 1 other neurons; lower k"):
        two.random_control(seed=0, match_layers=True)


# --- frozen ---


@pytest.mark.parametrize("name", [field.name for field in fields(Experts)])
def test_experts_are_frozen(experts, name):
    with pytest.raises(FrozenInstanceError, match=name):
        setattr(experts, name, getattr(experts, name))


def test_comparing_experts_gives_a_truth_value_and_no_error(expertise):
    one, other = select_experts(expertise, k=3), select_experts(expertise, k=2)
    assert (one != other) is True
    assert (one == select_experts(expertise, k=3)) in (True, False)


# --- on disk ---


def make_experts(kind, expertise):
    if kind == "control":
        return select_experts(expertise, k=4).random_control(seed=1)
    if kind == "one language":
        return select_experts(expertise, k=4)["zh-Hant"]
    if kind == "not ASCII":
        return replace(select_experts(expertise, k=4, metric="ap"), selection='„beste“ "4"\n日本')
    return select_experts(expertise, threshold=0.5, how="bottom")


@pytest.mark.parametrize("kind", ["threshold", "control", "one language", "not ASCII"])
@pytest.mark.parametrize("name", ["experts", "deep/er/experts.safetensors", "v1.0"])
def test_saved_experts_come_back_equal_in_every_field(expertise, tmp_path, kind, name):
    experts = make_experts(kind, expertise)
    path = tmp_path / name
    assert experts.save_pretrained(path) == path
    assert path.is_file() == name.endswith(".safetensors")
    assert_same(Experts.from_pretrained(path), experts)
    assert_same(Experts.from_pretrained(str(path)), experts)


@pytest.mark.parametrize("name", ["experts", "experts.safetensors"])
def test_saving_again_replaces_and_leaves_no_other_file(expertise, tmp_path, name):
    select_experts(expertise, k=5).save_pretrained(tmp_path / name)
    files = sorted(tmp_path.rglob("*"))
    second = select_experts(expertise, k=2)
    second.save_pretrained(tmp_path / name)
    assert_same(Experts.from_pretrained(tmp_path / name), second)
    assert sorted(tmp_path.rglob("*")) == files


def test_a_folder_is_not_written_over_a_file_nor_below_one(experts, tmp_path):
    occupied = tmp_path / "notes"
    occupied.write_text("mine")
    with pytest.raises(ArtefactError, match=r"notes is a file; give a folder, or a name that ends in \.safetensors"):
        experts.save_pretrained(occupied)
    for below in ("experts", "experts.safetensors"):
        with pytest.raises(ArtefactError, match="cannot be written"):
            experts.save_pretrained(occupied / below)
    assert occupied.read_text() == "mine"
    assert_same(Experts.from_pretrained(experts.save_pretrained(tmp_path / "free")), experts)


def spread(content, start=0, number=40):
    """Places all over some bytes, both ends among them."""
    return sorted({int(place) for place in np.linspace(start, len(content) - 1, number)})


@pytest.mark.parametrize("file", ["experts.safetensors", "experts.json"])
def test_a_folder_with_a_truncated_file_is_refused(experts, tmp_path, file):
    path = experts.save_pretrained(tmp_path / "experts") / file
    content = path.read_bytes()
    for size in spread(content):
        path.write_bytes(content[:size])
        with pytest.raises(ArtefactError, match=r"damaged"):
            Experts.from_pretrained(tmp_path / "experts")
    path.write_bytes(content)
    assert_same(Experts.from_pretrained(tmp_path / "experts"), experts)


@pytest.mark.parametrize("file", ["experts.safetensors", "experts.json"])
def test_a_folder_without_one_of_its_files_is_refused(experts, tmp_path, file):
    path = experts.save_pretrained(tmp_path / "experts") / file
    aside = path.rename(tmp_path / "aside")
    with pytest.raises(ArtefactError, match=rf"{re.escape(file)} cannot be read: No such file"):
        Experts.from_pretrained(tmp_path / "experts")
    aside.rename(path)
    assert_same(Experts.from_pretrained(tmp_path / "experts"), experts)


def test_a_folder_with_a_changed_byte_among_its_tensors_is_refused(experts, tmp_path):
    path = experts.save_pretrained(tmp_path / "experts") / "experts.safetensors"
    content = path.read_bytes()
    for place in spread(content):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ArtefactError, match=r"does not match the checksum in experts\.json"):
            Experts.from_pretrained(tmp_path / "experts")
    path.write_bytes(content)
    assert_same(Experts.from_pretrained(tmp_path / "experts"), experts)


def test_tensors_of_another_save_are_refused(expertise, tmp_path):
    for k in (2, 3):
        select_experts(expertise, k=k).save_pretrained(tmp_path / str(k))
    swapped = tmp_path / "2" / "experts.safetensors"
    swapped.write_bytes((tmp_path / "3" / "experts.safetensors").read_bytes())
    with pytest.raises(ArtefactError, match="of another save"):
        Experts.from_pretrained(tmp_path / "2")
    assert len(Experts.from_pretrained(tmp_path / "3")) == 9


def test_a_truncated_single_file_is_refused(experts, tmp_path):
    path = experts.save_pretrained(tmp_path / "experts.safetensors")
    content = path.read_bytes()
    for size in spread(content):
        path.write_bytes(content[:size])
        with pytest.raises(ArtefactError, match=r"no readable safetensors file \(.+\); make it again"):
            Experts.from_pretrained(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(ArtefactError, match="no readable safetensors file"):
        Experts.from_pretrained(path)
    path.write_bytes(content)
    assert_same(Experts.from_pretrained(path), experts)


def test_a_single_file_with_a_changed_byte_among_its_tensors_is_refused(experts, tmp_path):
    path = experts.save_pretrained(tmp_path / "experts.safetensors")
    content = path.read_bytes()
    for place in spread(content, start=8 + int.from_bytes(content[:8], "little")):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ArtefactError):
            Experts.from_pretrained(path)
    path.write_bytes(content)
    assert_same(Experts.from_pretrained(path), experts)


FOREIGN = {
    "empty": b"",
    "text": b"layer,neuron\n0,1\n" * 40,
    "pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}" + bytes(100),
    "a checkpoint": save({"lm_head.weight": np.zeros((2, 2), np.float32)}, metadata={"format": "pt"}),
    "a bfloat16 checkpoint": save_torch({"lm_head.weight": torch.zeros(2, 2, dtype=torch.bfloat16)}),
    "a header that is no object": save({"layer": np.zeros(2)}, metadata={"tl_experts": "[1, 2]"}),
    "a header that is no JSON": save({"layer": np.zeros(2)}, metadata={"tl_experts": "experts"}),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("place", ["experts.safetensors", "experts/experts.safetensors", "experts/experts.json"])
def test_a_foreign_file_is_refused(experts, tmp_path, content, place):
    home = tmp_path / place.split("/")[0]
    experts.save_pretrained(home)
    own = (tmp_path / place).read_bytes()
    (tmp_path / place).write_bytes(content)
    with pytest.raises(ArtefactError, match=home.name):
        Experts.from_pretrained(home)
    (tmp_path / place).write_bytes(own)
    assert_same(Experts.from_pretrained(home), experts)


def test_a_path_with_nothing_there_is_refused(experts, tmp_path):
    for name in ("experts", "experts.safetensors"):
        with pytest.raises(
            ArtefactError, match=rf"{name} cannot be read: No such file or directory; is the path right"
        ):
            Experts.from_pretrained(tmp_path / name)
    (tmp_path / "experts").mkdir()
    with pytest.raises(ArtefactError, match=r"experts\.json cannot be read"):
        Experts.from_pretrained(tmp_path / "experts")
    assert_same(Experts.from_pretrained(experts.save_pretrained(tmp_path / "experts")), experts)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "embeddings"}, "holds 'embeddings'; expected 'experts'"),
        ({"schema": 2}, "has schema 2, this version reads 1; make it again"),
        ({"schema": None}, "has schema None, this version reads 1"),
        ({"sha256": "0" * 64}, r"does not match the checksum in experts\.json"),
        ({"layers": [1, 4]}, "not a complete set of experts"),
        ({"widths": [3, 5, 1]}, "not a complete set of experts .*neuron"),
        ({"widths": [3, 5]}, "not a complete set of experts"),
        ({"languages": ["en"]}, "not a complete set of experts .*unknown language"),
        ({"languages": 3}, "not a complete set of experts"),
    ],
    ids=str,
)
def test_a_header_that_does_not_fit_is_refused(experts, tmp_path, change, message):
    path = experts.save_pretrained(tmp_path / "experts") / "experts.json"
    own = path.read_text()
    path.write_text(json.dumps(json.loads(own) | change))
    with pytest.raises(ArtefactError, match=message):
        Experts.from_pretrained(tmp_path / "experts")
    path.write_text(json.dumps(json.loads(own) | {"unknown": "field"}))
    assert_same(Experts.from_pretrained(tmp_path / "experts"), experts)


@pytest.mark.parametrize("name", ["language_of", "layer", "neuron", *STATISTICS])
@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_missing_or_short_column_is_refused(experts, tmp_path, name, damage):
    arrays, header = load_artefact(experts.save_pretrained(tmp_path / "experts"), "experts")
    save_artefact(tmp_path / "same", "experts", arrays, header)
    assert_same(Experts.from_pretrained(tmp_path / "same"), experts)
    arrays = {key: array for key, array in arrays.items() if key != name} | (
        {} if damage == "missing" else {name: arrays[name][:-1]}
    )
    save_artefact(tmp_path / "other", "experts", arrays, header)
    with pytest.raises(ArtefactError, match="not a complete set of experts"):
        Experts.from_pretrained(tmp_path / "other")


@pytest.mark.parametrize(("name", "value"), [("language_of", 3), ("language_of", -1), ("layer", 2), ("neuron", -1)])
def test_a_row_of_no_language_or_neuron_is_refused(experts, tmp_path, name, value):
    arrays, header = load_artefact(experts.save_pretrained(tmp_path / "experts"), "experts")
    arrays[name] = arrays[name].copy()
    arrays[name][-1] = value
    save_artefact(tmp_path / "other", "experts", arrays, header)
    with pytest.raises(ArtefactError, match="not a complete set of experts"):
        Experts.from_pretrained(tmp_path / "other")


def test_the_tensors_are_plain_safetensors_that_anyone_reads(experts, tmp_path):
    folder, file = (experts.save_pretrained(tmp_path / name) for name in ("experts", "experts.safetensors"))
    for content in ((folder / "experts.safetensors").read_bytes(), file.read_bytes()):
        tensors = load(content)
        assert set(tensors) == {"language_of", "layer", "neuron", *STATISTICS}
        np.testing.assert_array_equal(tensors["layer"], experts.layer)
        np.testing.assert_array_equal(tensors["auroc"], experts.statistics["auroc"])


# --- with models ---


STEPS = {
    "defaults": ({}, {"k": 5}),
    "threshold and ap": ({"pooling": "mean"}, {"threshold": 0.3, "k": 7, "metric": "ap"}),
    "bottom of one layer": ({"layers": [1], "prepend_bos": False}, {"k": 4, "how": "bottom"}),
    "random at another site": ({"site": "attn.hook_z", "store": torch.bfloat16}, {"k": 4, "how": "random", "seed": 9}),
    "bos": ({"prepend_bos": True}, {"k": 6}),
}


@pytest.mark.parametrize(("collecting", "selecting"), STEPS.values(), ids=STEPS)
def test_find_experts_is_collect_score_and_select(llama, corpus, collecting, selecting):
    found = find_experts(llama, corpus, progress=False, **collecting, **selecting)
    responses = collect_responses(llama, corpus, progress=False, **collecting)
    assert_same(found, select_experts(score_responses(responses, progress=False), **selecting))
    assert found.languages == corpus.languages
    assert found.corpus == corpus.fingerprint


def test_find_experts_passes_truncate_on(llama, corpus):
    long = replace(corpus, texts=(corpus.texts[0] * 40, *corpus.texts[1:]))
    responses = collect_responses(llama, long, truncate=True, progress=False)
    expected = select_experts(score_responses(responses, progress=False), k=3)
    assert_same(find_experts(llama, long, k=3, truncate=True, progress=False), expected)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "selecting",
    [{"k": 0}, {"k": 97}, {"threshold": 2.0}, {"metric": "f1"}, {"how": "best"}, {"threshold": 0.5, "how": "random"}],
)
def test_a_selection_that_cannot_be_made_is_refused_before_the_model_runs(monkeypatch, llama, corpus, selecting):
    def runs(*args, **kwargs):
        raise InterruptedError("the model runs")

    monkeypatch.setattr(selection, "collect_responses", runs)
    with pytest.raises(SelectionError):
        find_experts(llama, corpus, **selecting)
    with pytest.raises(InterruptedError):
        find_experts(llama, corpus, k=96)


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
    with pytest.raises(ArtefactError, match=r"another model: tokenizer differ \(tokenizer 0{16} against \w{16}\)"):
        retokenized.require_model(llama)
    with pytest.raises(ArtefactError, match=r"another model: weights and tokenizer differ"):
        retokenized.require_model(model_of("gpt2"))
    with pytest.raises(ArtefactError, match=r"another model: weights and tokenizer differ"):
        replace(experts, fingerprint={}).require_model(llama)


def test_experts_that_were_saved_still_know_their_model(llama, model_of, corpus, tmp_path):
    path = find_experts(llama, corpus, k=2, progress=False).save_pretrained(tmp_path / "experts")
    Experts.from_pretrained(path).require_model(llama)
    with pytest.raises(ArtefactError, match="weights differ"):
        Experts.from_pretrained(path).require_model(model_of("gpt2"))
