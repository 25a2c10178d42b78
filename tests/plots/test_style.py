"""A language looks the same in every figure, no two look alike, and text from outside is escaped."""

import colorsys
from itertools import combinations

import pytest

from tests.plots.study_figures import channels, traces
from tl_experts import Corpus, collect_responses, plots
from tl_experts.plots.style import COLOURS, dash_of, escaped, pattern_of, shorten, symbol_of


def test_a_language_looks_the_same_whatever_else_is_drawn(found):
    _, expertise, _ = found
    few = {trace.name: trace.line.color for trace in plots.auroc_by_rank(expertise, languages=["ja", "de"]).data}
    every = {trace.name: trace.line.color for trace in plots.auroc_by_rank(expertise).data}
    assert few == {name: every[name] for name in ("de", "ja")}
    assert list(few) == ["de", "ja"], "in the common order, not as asked"
    assert plots.language_order(["xx", "zh", "en"]) == ["en", "zh", "xx"]


def test_no_two_languages_look_alike_even_in_grey():
    codes = "en de fr es ja zh ru ar hi pt th cs el he id it ko nl fa pl ro tr"
    languages = plots.language_order(codes.split(" "))
    looks = [(plots.colour_of(code), symbol_of(code), dash_of(code)) for code in languages]
    assert len(set(looks)) == len(languages)
    for colour in COLOURS:
        assert colorsys.rgb_to_hls(*channels(colour))[1] < 0.75, f"{colour} is too pale on white"


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "<b>bold</b>", "<a href='javascript:x'>"])
def test_text_from_outside_is_escaped(hostile, model_of):
    assert "<" not in escaped(hostile)
    assert "<" not in shorten(hostile * 9)
    corpus = Corpus.from_texts({"en": [hostile, "One."], "de": ["Eins.", hostile]}, name=hostile)
    responses = collect_responses(model_of("llama"), corpus, progress=False)
    figure = plots.response_distributions(responses, 0, 0)
    assert hostile not in str([trace.text for trace in traces(figure, "scatter")])


def test_colours_of_one_grey_differ_in_mark_dash_and_pattern():
    def lightness(colour):
        red, green, blue = channels(colour)
        return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2

    codes = [
        "en",
        "de",
        "fr",
        "es",
        "ja",
        "zh",
        "ru",
        "ar",
        "hi",
        "pt",
        "th",
        "cs",
        "el",
        "he",
    ]  # with a third use of a colour, marks may repeat
    for one, other in combinations(codes, 2):
        if abs(lightness(plots.colour_of(one)) - lightness(plots.colour_of(other))) < 0.02:
            assert symbol_of(one) != symbol_of(other), (one, other)
            assert dash_of(one) != dash_of(other), (one, other)
            assert pattern_of(one) != pattern_of(other), (one, other)
