"""Figures draw the numbers they are given, a language always in the same colour, and no markup from outside."""

import re

import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.browser import BROWSER
from tests.plots.study_figures import STUDY_FIGURES, TABLES
from tl_experts import plots
from tl_experts.errors import TLExpertsError


def test_every_figure_is_tested_here():
    of_experts = {"auroc_by_rank", "expert_overlap", "experts_heatmap", "experts_per_layer", "response_distributions"}
    of_steering = {"alignment_search", "fallback_bars", "silencing_map", "silencing_side_by_side", "tuning_front"}
    of_comparison = {"alignment_bars", "cost_front", "mexa_layers", "writing_front"}  # tests/plots/test_comparison.py
    rest = {"TEMPLATE", "colour_of", "language_order", "method_means"}
    assert set(plots.__all__) == set(STUDY_FIGURES) | of_experts | of_steering | of_comparison | rest


@pytest.mark.parametrize("name", STUDY_FIGURES)
def test_a_study_gives_every_figure(name, result):
    figure = STUDY_FIGURES[name](result)
    assert isinstance(figure, go.Figure)
    assert len(figure.data) >= 1
    assert figure.layout.title.text
    assert figure.layout.template.layout.paper_bgcolor == "white"


@pytest.mark.parametrize("name", STUDY_FIGURES)
def test_a_missing_table_raises_an_error_that_names_it(name, result):
    table = TABLES[name]
    with pytest.raises(TLExpertsError, match=f"'{table}'"):
        STUDY_FIGURES[name]({"another": pd.DataFrame()})
    with pytest.raises(TLExpertsError, match=f"'{table}' has no rows"):
        STUDY_FIGURES[name]({table: result[table].iloc[:0]})


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


@pytest.mark.parametrize("name", STUDY_FIGURES)
def test_tables_read_back_from_csv_give_the_same_figure(name, result, tmp_path):
    table = TABLES[name]
    result[table].to_csv(tmp_path / "table.csv", index=False)
    again = STUDY_FIGURES[name]({table: pd.read_csv(tmp_path / "table.csv")})
    first = STUDY_FIGURES[name](result)
    assert [trace.name for trace in again.data] == [trace.name for trace in first.data]
    assert len(again.layout.updatemenus) == len(first.layout.updatemenus)
