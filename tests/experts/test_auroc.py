"""Every statistic is scikit-learn's or NumPy's, whatever the ties, the order, the chunks or the threads."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.experts.scoring import LANGUAGES, columns_of, expertise_of, same_bits
from tl_experts.experts.auroc import STATISTICS, score

# Where languages are drawn by chance, one has often a single sentence.
pytestmark = pytest.mark.filterwarnings("ignore:.*only one sentence")

DENORMAL = float(np.float32(1.4e-45))


RANKED = ("auroc", "ap")


FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


ANY = FINITE | st.sampled_from([np.inf, -np.inf, 0.0, -0.0, DENORMAL, -DENORMAL, 2 * DENORMAL, 1.0, -1.0])


def reference(values, labels, language):
    """Scikit-learn's AUROC and AP and NumPy's moments, in float64.

    Where a value is infinite, which scikit-learn refuses, it sees the dense ranks instead.
    """
    values = values.astype(np.float64)
    mine = np.array(labels) == language
    scores = values if np.isfinite(values).all() else np.unique(values, return_inverse=True)[1].reshape(values.shape)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        return {
            "auroc": np.array([roc_auc_score(mine, column) for column in scores.T]),
            "ap": np.array([average_precision_score(mine, column) for column in scores.T]),
            "mean": values[mine].mean(axis=0),
            "median": np.median(values[mine], axis=0),
            "p90": np.percentile(values[mine], 90, axis=0),
            "negative_mean": values[~mine].mean(axis=0),
        }


def agrees(expertise, values, labels, names):
    # A step of a denormal, and float64's rounding of a sum whose terms cancel.
    largest = np.abs(values).max(axis=0, where=np.isfinite(values), initial=0.0).astype(np.float64)
    slack = 1.5 * DENORMAL + 1e-12 * largest
    for language in expertise.languages:
        expected = reference(values, labels, language)
        for name in names:
            rtol, atol = (0.0, 1e-6) if name in RANKED else (1e-6, slack)
            actual = columns_of(expertise, name)[language]
            close = np.isclose(actual, expected[name], rtol=rtol, atol=atol, equal_nan=True)
            assert close.all(), f"{name} of {language}: {actual}, expected {expected[name]}"


@st.composite
def cases(draw, elements=ANY, languages=5, sentences=25, neurons=3):
    """A matrix and its labels in any order: two languages or more, cells drawn freely or from a handful of values."""
    present = LANGUAGES[: draw(st.integers(2, languages))]
    more = draw(st.lists(st.sampled_from(present), max_size=sentences - len(present)))
    labels = draw(st.permutations([*present, *more]))
    cells = st.sampled_from(draw(st.lists(elements, min_size=1, max_size=4))) if draw(st.booleans()) else elements
    values = draw(arrays(np.float32, (len(labels), draw(st.integers(1, neurons))), elements=cells, fill=st.nothing()))
    return values, labels


@settings(max_examples=120)
@given(cases())
def test_auroc_and_ap_are_scikit_learns_for_any_values_and_labels(case):
    values, labels = case
    agrees(expertise_of(values, labels), values, labels, RANKED)


@settings(max_examples=60)
@given(cases(elements=st.sampled_from([0.0, -0.0, 1.0, 2.0]), sentences=60))
def test_auroc_and_ap_are_scikit_learns_when_nearly_all_is_tied(case):
    values, labels = case
    agrees(expertise_of(values, labels), values, labels, RANKED)


@settings(max_examples=120)
@given(cases(elements=FINITE))
def test_mean_median_p90_and_negative_mean_are_numpys(case):
    values, labels = case
    agrees(expertise_of(values, labels), values, labels, ("mean", "median", "p90", "negative_mean"))


@settings(max_examples=120)
@given(cases(elements=st.sampled_from([np.inf, -np.inf, -1.0, 0.5, 2.0])))
@example((np.array([[1], [2], [np.inf], [0]], np.float32), ["en", "en", "en", "de"]))
@example((np.array([[-np.inf], [2], [0]], np.float32), ["en", "en", "de"]))
def test_means_and_median_are_numpys_among_infinities(case):
    values, labels = case
    agrees(expertise_of(values, labels), values, labels, ("mean", "median", "negative_mean"))


@settings(max_examples=120)
@given(st.lists(st.sampled_from([np.inf, -np.inf, -1.0, 0.5, 2.0]), min_size=1, max_size=22))
@example([0.0] * 10 + [np.inf])
@example([-np.inf, 2.0])
def test_p90_among_infinities_is_the_neighbour_or_the_infinity_and_nan_only_between_opposite_ones(positives):
    actual = expertise_of([[value] for value in [*positives, 0.0]], ["en"] * len(positives) + ["de"]).p90[0, 0]
    index = 0.9 * (len(positives) - 1)
    low, high = (float(sorted(positives)[min(int(index) + step, len(positives) - 1)]) for step in (0, 1))
    weight = index - int(index)
    if weight == 0 or low == high:
        expected = low
    elif np.isinf(low) and np.isinf(high):
        expected = np.nan
    else:
        expected = (1 - weight) * low + weight * high
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("sentences", "languages", "seed"), [(5_000, 5, 0), (140_000, 2, 1)], ids=["5 languages", "wider than a chunk"]
)
def test_many_sentences_are_scored_as_exactly_as_few(sentences, languages, seed):
    generator = np.random.default_rng(seed)
    values = generator.standard_normal((sentences, 3)).astype(np.float32)
    values[:, 1] = values[:, 1].round(1)
    values[:, 2] = generator.integers(0, 2, sentences)
    labels = [LANGUAGES[i] for i in generator.integers(0, languages, sentences)]
    agrees(expertise_of(values, labels), values, labels, STATISTICS)


def test_three_sentences_and_two_neurons_worked_by_hand():
    # Neuron 0: en 3 and 1, de 2. The pairs (3, 2) won, (1, 2) lost: 1/2. From the top en de en: AP (1/1 + 2/3) / 2.
    # Neuron 1: en 5 and 4, de 5. The pairs (5, 5) half won, (4, 5) lost: 1/4. AP (1/2 + 2/3) / 2, 5 = 5 one threshold.
    result = expertise_of([[3, 5], [2, 5], [1, 4]], ["en", "de", "en"])
    assert result.languages == ("en", "de")
    by_hand = {
        "auroc": [[1 / 2, 1 / 2], [1 / 4, 3 / 4]],
        "ap": [[5 / 6, 1 / 2], [7 / 12, 1 / 2]],
        "mean": [[2, 2], [4.5, 5]],
        "median": [[2, 2], [4.5, 5]],
        "p90": [[2.8, 2], [4.9, 5]],
        "negative_mean": [[2, 2], [5, 4.5]],
    }
    for name, expected in by_hand.items():
        np.testing.assert_array_equal(getattr(result, name), np.float32(expected), err_msg=name)


@pytest.mark.parametrize("constant", [0.0, -3.5, DENORMAL, np.inf, -np.inf])
def test_a_constant_neuron_has_auroc_one_half_and_the_share_of_positives_as_ap(constant):
    labels = ["en", "de", "en", "ru", "en"]
    result = expertise_of(np.full((5, 1), constant), labels)
    assert result.auroc.tolist() == [[0.5, 0.5, 0.5]]
    assert result.ap.tolist() == np.float32([[0.6, 0.2, 0.2]]).tolist()
    assert result.median.tolist() == result.mean.tolist() == [[constant] * 3]


def test_minus_zero_equals_zero_and_the_smallest_denormal_does_not():
    labels = ["en", "de"]
    values = np.array([[0.0, -0.0, DENORMAL, -DENORMAL], [-0.0, 0.0, 0.0, -0.0]], np.float32)
    assert columns_of(expertise_of(values, labels), "auroc")["en"].tolist() == [0.5, 0.5, 1.0, 0.0]


def test_infinities_lie_beyond_every_finite_response():
    largest = np.finfo(np.float32).max
    values = [[np.inf, -np.inf, np.inf], [largest, -largest, np.inf]]
    assert columns_of(expertise_of(values, ["en", "de"]), "auroc")["en"].tolist() == [1.0, 0.0, 0.5]


@settings(max_examples=80)
@given(cases(elements=FINITE), st.randoms(use_true_random=False))
def test_order_of_sentences_changes_no_bit(case, random):
    values, labels = case
    shuffled = random.sample(range(len(labels)), len(labels))
    # The first sentences in front, so that the languages keep their order (the next test's matter).
    heads = [next(i for i in shuffled if labels[i] == language) for language in dict.fromkeys(labels)]
    order = heads + [i for i in shuffled if i not in heads]
    one, other = expertise_of(values, labels), expertise_of(values[order], [labels[i] for i in order])
    assert one.languages == other.languages
    same_bits(one, other)


@settings(max_examples=80)
@given(cases(elements=FINITE), st.randoms(use_true_random=False))
def test_order_of_languages_changes_no_bit_of_the_rank_statistics(case, random):
    values, labels = case
    order = random.sample(range(len(labels)), len(labels))
    same_bits(
        expertise_of(values, labels),
        expertise_of(values[order], [labels[i] for i in order]),
        ("auroc", "ap", "mean", "median", "p90"),
    )


@pytest.mark.parametrize("order", [[3, 1, 2, 0], [1, 3, 0, 2], [2, 3, 1, 0]])
def test_order_of_languages_changes_no_bit_of_the_negative_mean(order):
    values = np.array([[0.0, 0.1], [1e30, 0.2], [-1e30, 0.3], [1.0, 0.7]], np.float32)
    labels = ["en", "de", "ru", "ja"]
    same_bits(expertise_of(values, labels), expertise_of(values[order], [labels[i] for i in order]), ("negative_mean",))


def test_scoring_columns_together_or_apart_changes_no_bit(wide):
    values, labels = wide
    whole = expertise_of(values, labels)
    edges = [0, 1, 8, 130, 131, 132, 263, 399, 400]
    parts = [expertise_of(values[:, a:b], labels) for a, b in pairwise(edges)]
    for name in STATISTICS:
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert joined.tobytes() == getattr(whole, name).tobytes(), name


def test_number_of_threads_changes_no_bit(wide):
    values, labels = wide
    numbers = np.array([LANGUAGES.index(label) for label in labels])
    results = [score(values, numbers, 4, threads=threads).tobytes() for threads in (1, 2, 7, None)]
    assert len(set(results)) == 1


def test_progress_adds_up_to_every_neuron(wide):
    values, labels = wide
    done = []
    score(values, np.array([LANGUAGES.index(label) for label in labels]), 4, advance=done.append)
    assert len(done) > 1
    assert sum(done) == 400


@settings(max_examples=80)
@given(cases())
def test_responses_of_opposite_sign_have_one_minus_the_auroc(case):
    values, labels = case
    auroc, opposite = expertise_of(values, labels).auroc, expertise_of(-values, labels).auroc
    np.testing.assert_allclose(opposite, 1 - auroc, rtol=0, atol=1.2e-7)


@pytest.mark.parametrize(
    "increasing",
    [
        lambda rank: rank - 7,
        lambda rank: rank**3 * 1e20,
        lambda rank: np.exp(rank / 4),
        lambda rank: -1 / (1 + rank),
        lambda rank: rank * DENORMAL,
    ],
    ids=["shift", "cube", "exp", "reciprocal", "denormals"],
)
@settings(max_examples=40)
@given(case=cases())
def test_a_strictly_increasing_transform_changes_no_bit_of_auroc_and_ap(increasing, case):
    values, labels = case
    distinct, ranks = np.unique(values, return_inverse=True)
    images = increasing(np.arange(len(distinct), dtype=np.float64)).astype(np.float32)
    assert (np.diff(images) > 0).all()
    same_bits(expertise_of(values, labels), expertise_of(images[ranks.reshape(values.shape)], labels), RANKED)


@settings(max_examples=80)
@given(cases(languages=2))
def test_aurocs_of_two_languages_sum_to_one(case):
    auroc = expertise_of(*case).auroc
    assert auroc.shape[1] == 2
    np.testing.assert_allclose(auroc.sum(axis=1), 1, rtol=0, atol=1.2e-7)


def test_auroc_and_ap_are_those_of_transformer_lenss_sparse_probing():
    probing = pytest.importorskip("transformer_lens.tools.analysis.sparse_probing", reason="needs transformer-lens 4.3")
    generator = np.random.default_rng(0)
    values = generator.standard_normal((200, 30)).round(1).astype(np.float32)  # with ties
    labels = [LANGUAGES[i] for i in generator.integers(0, 3, 200)]
    expertise = expertise_of(values, labels)
    for at, language in enumerate(expertise.languages):
        mine = torch.tensor([label == language for label in labels])
        for neuron, column in enumerate(torch.from_numpy(values).T):
            theirs = probing._binary_metrics(column, mine)
            assert expertise.auroc[neuron, at] == pytest.approx(theirs.roc_auc, abs=1e-6)
            assert expertise.ap[neuron, at] == pytest.approx(theirs.average_precision, abs=1e-6)
