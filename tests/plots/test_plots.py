"""Figures draw the numbers they are given, a language always in the same colour, and no markup from outside."""

import colorsys
import re
from itertools import combinations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.browser import BROWSER
from tl_experts import Corpus, collect_responses, find_experts, plots, score_responses
from tl_experts.errors import TLExpertsError
from tl_experts.plots.style import COLOURS, dash_of, pattern_of, shorten, symbol_of, words

STUDY_FIGURES = {
    "baseline_bars": plots.baseline_bars,
    "control_bars": plots.control_bars,
    "distance_bars": plots.distance_bars,
    "distance_maps": plots.distance_maps,
    "gain_against_distance": plots.gain_against_distance,
    "isotropy_bars": plots.isotropy_bars,
    "language_scatter": lambda study: plots.language_scatter(study, "ja"),
    "layer_retrieval": plots.layer_retrieval,
    "retrieval_maps": plots.retrieval_maps,
    "subspace_bars": plots.subspace_bars,
    "sweep_front": plots.sweep_front,
}
TABLES = {
    "baseline_bars": "baselines",
    "control_bars": "control_summary",
    "distance_bars": "table1",
    "distance_maps": "pair_distances",
    "gain_against_distance": "candidates",
    "isotropy_bars": "geometry",
    "language_scatter": "picture",
    "layer_retrieval": "layers",
    "retrieval_maps": "retrieval",
    "subspace_bars": "geometry",
    "sweep_front": "sweep",
}


@pytest.fixture(scope="module")
def found(model_of, corpus):
    responses = collect_responses(model_of("llama"), corpus, progress=False)
    expertise = score_responses(responses, progress=False)
    return responses, expertise, find_experts(model_of("llama"), corpus, k=9, progress=False)


def traces(figure, kind):
    return [trace for trace in figure.data if trace.type == kind]


def test_every_figure_is_tested_here():
    of_experts = {"auroc_by_rank", "expert_overlap", "experts_heatmap", "experts_per_layer", "response_distributions"}
    rest = {"TEMPLATE", "colour_of", "language_order"}
    assert set(plots.__all__) == set(STUDY_FIGURES) | of_experts | rest


def test_bars_per_layer_sum_to_the_experts(found):
    _, _, experts = found
    figure = plots.experts_per_layer(experts)
    assert [trace.name for trace in figure.data] == plots.language_order(experts.languages)
    for trace in figure.data:
        chosen = experts[trace.name]
        assert list(trace.y) == [int((chosen.layer == layer).sum()) for layer in trace.x]
        assert sum(trace.y) == 9


def test_the_heat_map_of_layers_holds_shares(found):
    _, _, experts = found
    (trace,) = plots.experts_heatmap(experts).data
    np.testing.assert_allclose(np.asarray(trace.z).sum(axis=1), 1)
    assert np.asarray(trace.customdata).sum() == 9 * len(experts.languages)


def test_auroc_falls_with_the_rank_from_the_best_to_the_worst(found):
    _, expertise, _ = found
    figure = plots.auroc_by_rank(expertise, k=10)
    assert [trace.name for trace in figure.data] == plots.language_order(expertise.languages)
    for trace in figure.data:
        column = expertise.auroc[:, expertise.column(trace.name)]
        assert trace.y[0] == column.max()
        assert trace.y[-1] == column.min()
        assert (np.diff(trace.y) <= 0).all()
    (line,) = [shape for shape in figure.layout.shapes if shape.x0 == shape.x1]
    (label,) = [note for note in figure.layout.annotations if note.text == "k = 10"]
    assert line.x0 == 10
    assert label.x == pytest.approx(1.0), "on a logarithmic axis an annotation is placed by its logarithm"


def test_boxes_are_numpys_quantiles(found):
    responses, _, _ = found
    figure = plots.response_distributions(responses, 1, 5)
    column = int(responses.neurons.columns_of(np.array([1]), np.array([5]))[0])
    values, labels = responses.values[:, column].numpy(), np.array(responses.corpus.labels)
    for box in traces(figure, "box"):
        mine = values[labels == box.name]
        np.testing.assert_allclose([box.q1[0], box.median[0], box.q3[0]], np.quantile(mine, [0.25, 0.5, 0.75]))
        assert (box.lowerfence[0], box.upperfence[0]) == (mine.min(), mine.max())
    assert sum(len(points.y) for points in traces(figure, "scatter")) == len(labels)
    with pytest.raises(TLExpertsError, match="L9 N5 is not among"):
        plots.response_distributions(responses, 9, 5)


def test_overlap_is_the_jaccard_index_by_hand(found):
    _, _, experts = found
    (trace,) = plots.expert_overlap(experts).data
    sets = {
        language: set(zip(experts[language].layer.tolist(), experts[language].neuron.tolist(), strict=True))
        for language in experts.languages
    }
    for row, one in enumerate(trace.y):
        for column, other in enumerate(trace.x):
            if one == other:
                assert np.isnan(trace.z[row][column])
            else:
                expected = len(sets[one] & sets[other]) / len(sets[one] | sets[other])
                assert trace.z[row][column] == pytest.approx(expected)


@pytest.mark.parametrize("name", STUDY_FIGURES)
def test_a_study_gives_every_figure(name, result):
    figure = STUDY_FIGURES[name](result)
    assert isinstance(figure, go.Figure)
    assert len(figure.data) >= 1
    assert figure.layout.title.text
    assert figure.layout.template.layout.paper_bgcolor == "white"


@pytest.mark.parametrize("name", STUDY_FIGURES)
def test_a_study_without_the_table_is_told_its_name(name, result):
    table = TABLES[name]
    with pytest.raises(TLExpertsError, match=f"'{table}'"):
        STUDY_FIGURES[name]({"another": pd.DataFrame()})
    with pytest.raises(TLExpertsError, match=f"'{table}' has no rows"):
        STUDY_FIGURES[name]({table: result[table].iloc[:0]})


@pytest.mark.parametrize("maps", ["retrieval_maps", "distance_maps"])
def test_the_third_map_is_the_difference_of_the_others_for_every_target(maps, result):
    figure = STUDY_FIGURES[maps](result)
    before, *later = [np.asarray(trace.z, float) for trace in figure.data]
    sign = {"retrieval_maps": 1, "distance_maps": -1}[maps]
    for after, difference in zip(later[::2], later[1::2], strict=True):
        np.testing.assert_allclose(difference, sign * (after - before), atol=1e-12)
    assert {axis.dtick for axis in (figure.layout.xaxis, figure.layout.yaxis)} == {1}, "every language is named"
    buttons = figure.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == ["en experts", "ja experts"]
    shown = np.array([button.args[0]["visible"] for button in buttons])
    assert shown[:, 0].all(), "before is always shown"
    assert (shown[:, 1:].sum(axis=0) == 1).all(), "every other map under one target only"


def test_a_cell_of_the_retrieval_map_is_its_row_of_the_table(result):
    figure = plots.retrieval_maps(result, measure="csls")
    table = result["retrieval"]
    row = table[(table["measure"] == "csls") & (table["condition"] == "pre") & (table["query"] == "de")]
    before = figure.data[0]
    line = np.asarray(before.z, float)[list(before.y).index("de")]
    for candidate, value in zip(before.x, line, strict=True):
        expected = row[row["candidate"] == candidate]["top1"]
        assert np.isnan(value) if expected.empty else value == pytest.approx(expected.mean())
    with pytest.raises(TLExpertsError, match="'euclid'"):
        plots.retrieval_maps(result, measure="euclid")


def test_the_slider_ends_at_the_places_after(result):
    figure = plots.language_scatter(result, "en")
    table = result["picture"]
    last = table[(table["target"] == "en") & (table["condition"] == "post")].set_index(["language", "row"])
    for trace, end in zip(figure.data, figure.frames[-1].data, strict=True):
        rows = [text.removeprefix("row ") for text in trace.text]
        expected = last.loc[trace.name]
        expected = expected.set_axis(expected.index.astype(str)).loc[rows]
        np.testing.assert_allclose(end.x, expected["x"], atol=1e-5)
        np.testing.assert_allclose(end.y, expected["y"], atol=1e-5)
    with pytest.raises(TLExpertsError, match="no picture of 'de'"):
        plots.language_scatter(result, "de")


def test_bars_carry_their_intervals(result):
    figure = plots.baseline_bars(result, kind="all pairs")
    table = result["baselines"]
    for trace in figure.data:
        method, when = trace.name.rsplit(", ", 1)
        rows = table[(table["kind"] == "all pairs") & (table["method"] == method)]
        rows = (
            rows[rows["condition"] == {"before": "pre", "after": "post"}[when]].set_index("target").loc[list(trace.x)]
        )
        np.testing.assert_allclose(np.asarray(trace.y) + np.asarray(trace.error_y.array), rows["high"])
        np.testing.assert_allclose(np.asarray(trace.y) - np.asarray(trace.error_y.arrayminus), rows["low"])
    with pytest.raises(TLExpertsError, match="no baselines of kind 'nothing'"):
        plots.baseline_bars(result, kind="nothing")
    with pytest.raises(TLExpertsError, match="no controls of kind 'nothing'"):
        plots.control_bars(result, kind="nothing")


def test_filled_marks_of_the_sweep_are_the_pareto_front(result):
    for trace in plots.sweep_front(result).data:
        rows = result["sweep"][result["sweep"]["target"] == trace.name].sort_values("k")
        assert [symbol == "circle" for symbol in trace.marker.symbol] == rows["pareto"].tolist()


def test_a_language_looks_the_same_whatever_else_is_drawn(found):
    _, expertise, _ = found
    few = {trace.name: trace.line.color for trace in plots.auroc_by_rank(expertise, languages=["ja", "de"]).data}
    every = {trace.name: trace.line.color for trace in plots.auroc_by_rank(expertise).data}
    assert few == {name: every[name] for name in ("de", "ja")}
    assert list(few) == ["de", "ja"], "in the common order, not as asked"
    assert plots.language_order(["xx", "zh", "en"]) == ["en", "zh", "xx"]


def channels(colour: str) -> tuple[float, ...]:
    """Red, green and blue of "#rrggbb", each from 0 to 1."""
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))


def test_no_two_languages_look_alike_even_in_grey():
    codes = "en de fr es ja zh ru ar hi pt th cs el he id it ko nl fa pl ro tr"
    languages = plots.language_order(codes.split(" "))
    looks = [(plots.colour_of(code), symbol_of(code), dash_of(code)) for code in languages]
    assert len(set(looks)) == len(languages)
    for colour in COLOURS:
        assert colorsys.rgb_to_hls(*channels(colour))[1] < 0.75, f"{colour} is too pale on white"


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "<b>bold</b>", "<a href='javascript:x'>"])
def test_text_from_outside_is_escaped(hostile, model_of):
    assert "<" not in words(hostile)
    assert "<" not in shorten(hostile * 9)
    corpus = Corpus.from_texts({"en": [hostile, "One."], "de": ["Eins.", hostile]}, name=hostile)
    responses = collect_responses(model_of("llama"), corpus, progress=False)
    figure = plots.response_distributions(responses, 0, 0)
    assert hostile not in str([trace.text for trace in traces(figure, "scatter")])


def test_a_figure_opens_offline_and_is_neither_shown_nor_saved(found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(go.Figure, "show", lambda *_: pytest.fail("a figure was shown"))
    figure = plots.experts_per_layer(found[2])
    assert list(tmp_path.iterdir()) == []
    figure.write_html("figure.html")
    page = (tmp_path / "figure.html").read_text("utf-8")
    assert not re.findall(r"<(?:script|link)[^>]+(?:src|href)=", page)


def test_a_png_by_kaleido(found, tmp_path):
    pytest.importorskip("kaleido")
    if BROWSER is None:
        pytest.skip("kaleido draws with Chromium")
    plots.experts_per_layer(found[2]).write_image(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


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


@pytest.mark.parametrize("k", [0, -1, 10**6])
def test_a_cut_beyond_the_neurons_is_refused(k, found):
    with pytest.raises(TLExpertsError, match=f"k is {k}"):
        plots.auroc_by_rank(found[1], k=k)


@pytest.mark.parametrize("name", STUDY_FIGURES)
def test_tables_read_back_from_csv_give_the_same_figure(name, result, tmp_path):
    table = TABLES[name]
    result[table].to_csv(tmp_path / "table.csv", index=False)
    again = STUDY_FIGURES[name]({table: pd.read_csv(tmp_path / "table.csv")})
    first = STUDY_FIGURES[name](result)
    assert [trace.name for trace in again.data] == [trace.name for trace in first.data]
    assert len(again.layout.updatemenus) == len(first.layout.updatemenus)


def test_bars_stand_in_the_common_order_with_before_first(result):
    table = result["geometry"].iloc[::-1]
    (trace, *_) = plots.isotropy_bars({"geometry": table}).data
    assert list(trace.x) == ["before", "en experts", "ja experts"]
    assert trace.y[0] == pytest.approx(table[table["target"] == ""]["mean_cosine"].iloc[0])


def test_maps_without_an_after_are_refused(result):
    table = result["pair_distances"]
    with pytest.raises(TLExpertsError, match="from before and"):
        plots.distance_maps({"pair_distances": table[table["condition"] == "pre"]})
