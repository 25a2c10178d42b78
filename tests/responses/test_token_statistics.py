"""Statistics of tokens: shapes, means by hand, merging, saving."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tl_experts import TokenStatistics
from tl_experts.errors import ArtefactError, ResponseError
from tl_experts.responses.exact import joined
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.sketch import BINS, bins_of
from tl_experts.responses.token_statistics import ARRAYS, OPTIONAL

TABLE = NeuronTable((0, 3), (2, 1))


def statistics_of(activations, *, corpora=("c",), gate=None) -> TokenStatistics:
    """Of activations by language, ``[token neuron]``."""
    values = {language: np.asarray(rows, dtype=np.float64) for language, rows in activations.items()}
    gates = values if gate is None else {language: np.asarray(rows) for language, rows in gate.items()}
    return TokenStatistics(
        tuple(values),
        TABLE,
        tokens=np.array([len(rows) for rows in values.values()]),
        over_zero=np.stack([(rows > 0).sum(axis=0) for rows in values.values()]),
        gate_over_zero=np.stack([(rows > 0).sum(axis=0) for rows in gates.values()]),
        total=np.stack([rows.sum(axis=0) for rows in values.values()]),
        total_of_squares=np.stack([(rows**2).sum(axis=0) for rows in values.values()]),
        site="mlp.hook_post",
        gate_site="mlp.hook_pre",
        corpora=corpora,
        fingerprint={"weights": "w"},
    )


def sketched(activations, **options) -> TokenStatistics:
    """The same with the histograms."""
    counts = [
        [np.bincount(own, minlength=BINS) for own in bins_of(torch.from_numpy(np.float32(rows))).numpy().T]
        for rows in activations.values()
    ]
    histogram = np.array(counts, dtype=np.int32)
    return replace(
        statistics_of(activations, **options), histogram=histogram, gate_histogram=histogram[..., ::-1].copy()
    )


def kept(activations, **options) -> TokenStatistics:
    """The same with the activations too."""
    values = {language: np.float32(rows).T for language, rows in activations.items()}
    return replace(sketched(activations, **options), activations=joined(list(values), [values]))


def drawn(seed, **sizes):
    generator = np.random.default_rng(seed)
    return {language: generator.standard_normal((size, 3)) for language, size in sizes.items()}


def assert_same(one, other):
    for name in (*ARRAYS, *OPTIONAL):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine.dtype, mine.tobytes()) == (theirs.dtype, theirs.tobytes()), name
    for name in ("languages", "neurons", "site", "gate_site", "corpora", "fingerprint"):
        assert getattr(one, name) == getattr(other, name), name


def test_means_and_deviations_are_numpys_over_the_tokens_and_over_those_of_the_others():
    activations = drawn(0, en=50, de=7, ja=20)
    statistics = statistics_of(activations)
    for row, language in enumerate(activations):
        own = activations[language]
        others = np.concatenate([rows for other, rows in activations.items() if other != language])
        np.testing.assert_allclose(statistics.mean[row], own.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(statistics.std[row], own.std(axis=0), atol=1e-12)
        np.testing.assert_array_equal(statistics.share_over_zero[row], (own > 0).mean(axis=0))
        np.testing.assert_allclose(statistics.other_mean[row], others.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(statistics.other_std[row], others.std(axis=0), atol=1e-12)
        np.testing.assert_array_equal(statistics.other_share_over_zero[row], (others > 0).mean(axis=0))
        assert statistics.row(language) == row


@pytest.mark.parametrize("q", [0.1, 0.5, 1])
def test_quantiles_are_numpys_within_a_bin(q):
    activations = drawn(0, en=500, de=70, ja=200)
    statistics = sketched(activations)
    for row, language in enumerate(activations):
        others = np.concatenate([rows for other, rows in activations.items() if other != language])
        expected = np.quantile(activations[language], q, axis=0), np.quantile(others, q, axis=0)
        for found, exact in zip((statistics.quantile(q), statistics.other_quantile(q)), expected, strict=True):
            np.testing.assert_allclose(found[row], exact, rtol=1 / 8, atol=0.05)
    np.testing.assert_array_equal(statistics.gate_counts(), statistics.gate_histogram)
    ungated = replace(statistics, gate_site="mlp.hook_post", gate_histogram=statistics_of(activations).gate_histogram)
    np.testing.assert_array_equal(ungated.gate_counts(), statistics.histogram)


def test_histograms_are_merged_saved_and_checked(tmp_path):
    one, other = (sketched(drawn(seed, en=5, de=6), corpora=(name,)) for seed, name in ((1, "a"), (2, "b")))
    merged = one.merge(other)
    np.testing.assert_array_equal(merged.histogram, one.histogram + other.histogram)
    np.testing.assert_array_equal(merged.gate_histogram, one.gate_histogram + other.gate_histogram)
    assert_same(TokenStatistics.from_pretrained(merged.save_pretrained(tmp_path / "kept")), merged)
    with pytest.raises(ResponseError, match="only one of the statistics has quantiles"):
        one.merge(statistics_of(drawn(2, en=5, de=6), corpora=("b",)))
    with pytest.raises(ResponseError, match="does not count each of the language's tokens once"):
        replace(one, histogram=one.histogram * 2)
    negative = one.histogram.copy()
    negative[0, 0, :2] += [-1, 1]
    with pytest.raises(ResponseError, match="counts fewer than 0 tokens in a bin"):
        replace(one, histogram=negative)
    with pytest.raises(ResponseError, match=r"gate_histogram has shape \(2, 3, 399\)"):
        replace(one, gate_histogram=one.gate_histogram[..., 1:])


def test_kept_activations_are_merged_by_language_and_checked(tmp_path):
    one, other = kept(drawn(1, en=5, de=6), corpora=("a",)), kept(drawn(2, de=3, ja=2), corpora=("b",))
    merged = one.merge(other)
    assert_same(TokenStatistics.from_pretrained(merged.save_pretrained(tmp_path / "kept")), merged)
    german = np.concatenate([np.float32(drawn(1, en=5, de=6)["de"]), np.float32(drawn(2, de=3, ja=2)["de"])])
    np.testing.assert_array_equal(merged.quantile(0.3)[1], np.quantile(german.astype(np.float64), 0.3, axis=0))
    assert not one.merge(sketched(drawn(2, de=3, ja=2), corpora=("b",))).exact
    for change, message in (
        ({"activations": one.activations[:, 1:]}, r"activations has shape \(3, 10\); expected \(3, 11\)"),
        ({"histogram": statistics_of(drawn(1, en=5)).histogram}, "beside a histogram"),
        ({"activations": one.activations[:, ::-1].copy()}, "not finite and ascending"),
        ({"activations": np.where(one.activations == one.activations.max(), np.inf, one.activations)}, "not finite"),
        ({"activations": np.where(one.activations == one.activations[0, 2], np.nan, one.activations)}, "not finite"),
    ):
        with pytest.raises(ResponseError, match=message):
            replace(one, **change)
    broken = object.__new__(TokenStatistics)
    vars(broken).update(vars(one) | {"activations": one.activations.astype(np.float64)})
    with pytest.raises(ArtefactError, match="activations has dtype float64"):
        TokenStatistics.from_pretrained(broken.save_pretrained(tmp_path / "broken"))


@pytest.mark.parametrize("q", [-0.1, 1.5, float("nan"), True, "half", None])
@pytest.mark.usefixtures("unchecked")
def test_a_quantile_that_is_not_a_share_is_refused(q):
    with pytest.raises(ResponseError, match="expected a number between 0 and 1"):
        sketched(drawn(1, en=5, de=6)).quantile(q)


def test_statistics_without_quantiles_say_how_to_get_them():
    for ask in (TokenStatistics.gate_counts, lambda s: s.quantile(0.5), lambda s: s.other_quantile(0.5)):
        with pytest.raises(ResponseError, match="quantiles=True"):
            ask(statistics_of(drawn(1, en=5, de=6)))


def test_a_constant_activation_has_no_deviation():
    constant = statistics_of({"en": np.full((3, 3), 0.1), "de": np.full((7, 3), 0.1)})
    assert (constant.std < 1e-8).all()
    assert np.isfinite(constant.std).all()


def test_parts_add_up_to_the_whole_in_any_order():
    activations = drawn(1, en=30, de=20, ja=10)
    thirds = [{code: rows[start::3] for code, rows in activations.items()} for start in range(3)]
    a, b, c = (statistics_of(third, corpora=(name,)) for third, name in zip(thirds, "abc", strict=True))
    whole = statistics_of(activations)
    left, right, turned = a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(a).merge(b)
    for merged in (left, right, turned):
        for name in ("tokens", "over_zero", "gate_over_zero"):
            np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name))
        np.testing.assert_allclose(merged.total, whole.total, atol=1e-12)
        np.testing.assert_allclose(merged.total_of_squares, whole.total_of_squares, atol=1e-12)
        assert merged.corpora == ("a", "b", "c")


def test_languages_that_only_one_part_has_are_kept():
    one, other = statistics_of(drawn(2, en=5, de=6)), statistics_of(drawn(3, de=7, ja=8), corpora=("d",))
    merged = one.merge(other)
    assert merged.languages == ("en", "de", "ja")
    assert merged.tokens.tolist() == [5, 13, 8]
    np.testing.assert_array_equal(merged.total[1], one.total[1] + other.total[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "corpus c is in both"),
        ({"corpora": ("d",), "site": "mlp.hook_pre"}, "differ in site"),
        ({"corpora": ("d",), "fingerprint": {"weights": "v"}}, "differ in fingerprint"),
        ({"corpora": ("d",), "neurons": NeuronTable((0, 4), (2, 1))}, "differ in neurons"),
    ],
    ids=str,
)
def test_what_does_not_belong_together_is_not_merged(change, message):
    statistics = statistics_of(drawn(4, en=5, de=6))
    with pytest.raises(ResponseError, match=message):
        statistics.merge(replace(statistics, **change))
    assert statistics.merge(replace(statistics, corpora=("d",))).tokens.tolist() == [10, 12]


@pytest.mark.parametrize("name", ["folder", "one.safetensors"])
def test_saved_statistics_are_read_back_bit_for_bit(name, tmp_path):
    statistics = statistics_of(drawn(5, en=5, zh=6))
    path = statistics.save_pretrained(tmp_path / name)
    assert_same(TokenStatistics.from_pretrained(path), statistics)


@pytest.mark.parametrize("array", ARRAYS)
def test_a_saved_array_of_another_shape_or_type_is_refused(array, tmp_path, monkeypatch):
    statistics = statistics_of(drawn(6, en=5, zh=6))
    for number, damaged in enumerate((getattr(statistics, array)[:1], getattr(statistics, array).astype(np.float16))):
        broken = object.__new__(TokenStatistics)
        for name, value in vars(statistics).items():
            object.__setattr__(broken, name, damaged if name == array else value)
        path = broken.save_pretrained(tmp_path / str(number))
        with pytest.raises(ArtefactError, match=array):
            TokenStatistics.from_pretrained(path)


@pytest.mark.usefixtures("unchecked")
def test_arrays_that_do_not_fit_are_refused():
    statistics = statistics_of(drawn(7, en=5, zh=6))
    for array in ARRAYS:
        with pytest.raises(ResponseError, match=f"{array} has shape"):
            replace(statistics, **{array: np.zeros((3, 3), dtype=np.int64)})
    with pytest.raises(ResponseError, match="zh has 0 tokens"):
        replace(statistics, tokens=np.array([5, 0]))
    with pytest.raises(ResponseError, match="gate_over_zero counts"):
        replace(statistics, gate_over_zero=np.full((2, 3), 6))
    replace(statistics, gate_over_zero=np.full((2, 3), 5))


def test_one_language_has_no_others():
    statistics = statistics_of(drawn(8, en=5))
    assert statistics.mean.shape == (1, 3)
    with pytest.raises(ResponseError, match=r"one language only \(en\)"):
        _ = statistics.other_mean
    with pytest.raises(ResponseError, match="'fr' was not counted"):
        statistics.row("fr")


def test_the_arrays_are_closed_for_writing():
    statistics = statistics_of(drawn(9, en=5, de=4))
    with pytest.raises(ValueError, match="read-only"):
        statistics.total[0, 0] = 1
    assert repr(statistics) == "TokenStatistics(2 languages x 3 neurons of mlp.hook_post, 9 tokens)"
