"""Every figure against numbers recomputed by hand from small made-up tables; no model, no study, no network."""

import re
import subprocess
import sys
from itertools import combinations, permutations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tl_experts import Corpus, plots
from tl_experts.errors import CorpusError, ResponseError, TLExpertsError
from tl_experts.expertise import Expertise
from tl_experts.experts import Experts
from tl_experts.plots.maps import before_after_maps
from tl_experts.plots.style import COLOURS, dash_of, shorten, symbol_of, words
from tl_experts.ranking import STATISTICS
from tl_experts.responses import NeuronTable, Responses

LANGUAGES = ("ja", "de", "xx", "en", "fr")
"""Neither in the figures' order nor all known to them."""

ORDER = ["en", "de", "fr", "ja", "xx"]
TARGETS = ("ja", "en")
PAIRS = list(permutations(LANGUAGES, 2))
NEURONS = NeuronTable((0, 2, 5), (7, 4, 9))
ORIGIN = {"site": "mlp.hook_post", "pooling": "max", "corpus": "none", "fingerprint": {}}
HOSTILE = ("<script>alert(1)</script>", "<b>bold</b>")


def made_study(languages=LANGUAGES, targets=TARGETS, seed=0):
    """The tables that a study's figures read, in its columns, with numbers from a seed."""
    rng = np.random.default_rng(seed)
    pairs = list(permutations(languages, 2))
    after = [(target, condition) for target in targets for condition in ("post", "mixed")]
    kinds = ("target as query", "all pairs")
    rows = {
        "retrieval": [
            {"target": t, "condition": c, "measure": m, "query": q, "candidate": o}
            for m in ("cosine", "csls")
            for t, c in [("", "pre"), *after]
            for q, o in pairs
        ],
        "pair_distances": [
            {"target": t, "condition": c, "language": one, "other": other}
            for t, c in [("", "pre"), *((target, "post") for target in targets)]
            for one, other in pairs
        ],
        "candidates": [{"target": t, "candidate": c} for t in targets for c in languages if c != t],
        "baselines": [
            {"target": t, "condition": c, "method": m, "kind": k}
            for t in targets
            for c in ("pre", "post")
            for m in ("last layer", "centred")
            for k in kinds
        ],
        "control_summary": [
            {"target": t, "control": c, "kind": k, "seeds": 3}
            for t, other in zip(targets, targets[::-1], strict=True)
            for c in ("experts", "random", f"experts of {other}", "experts of shuffled labels")
            for k in kinds
        ],
        "layers": [{"layer": layer, "chosen": layer == 3} for layer in range(5)],
        "table1": [{"measure": m} for m in ("all_pairs", "target_to_medoid", "nontarget_to_medoid")],
        "geometry": [{"target": t, "condition": "post" if t else "pre"} for t in ("", *targets)],
        "picture": [
            {"target": t, "condition": c, "language": language, "row": row}
            for t in targets
            for c in ("pre", "post")
            for language in languages
            for row in range(6)
        ],
        "sweep": [{"target": t, "k": k} for t in targets for k in (64, 0, 16, 256)],
    }
    numbers = {
        "retrieval": ["top1"],
        "pair_distances": ["distance"],
        "candidates": ["distance reduction", "gain"],
        "baselines": ["low", "top1", "high"],
        "control_summary": ["top1", "spread", "experts_lead", "p_holm"],
        "layers": ["top1", "top1_centred"],
        "table1": ["pre", "post", "pre_se", "post_se"],
        "geometry": [
            "mean_cosine",
            "partition_ratio",
            "isoscore",
            "variance_language",
            "variance_meaning",
            "subspace_share",
        ],
        "picture": ["x", "y"],
        "sweep": ["perplexity", "language_id", "dev_top1"],
    }
    tables = {name: pd.DataFrame(lines) for name, lines in rows.items()}
    for name, columns in numbers.items():
        drawn = rng.uniform(0.01, 0.99, size=(len(tables[name]), len(columns)))
        tables[name][columns] = np.sort(drawn, axis=1) if columns[0] == "low" else drawn
    tables["sweep"]["pareto"] = tables["sweep"]["k"] == 64
    # Shuffled: no figure may lean on the order of a table's rows (but pre stands first, as a study writes it).
    for name in ("retrieval", "pair_distances", "sweep", "picture"):
        tables[name] = tables[name].sample(frac=1, random_state=seed).reset_index(drop=True)
    return tables


def experts_of(sets):
    """Experts of exactly these (layer, neuron) pairs."""
    flat = [(place, *pair) for place, pairs in enumerate(sets.values()) for pair in pairs]
    columns = np.array(flat, dtype=np.int64).reshape(-1, 3).T.copy()
    statistics = {name: np.zeros(len(flat), dtype=np.float32) for name in STATISTICS}
    return Experts(tuple(sets), *columns, statistics, NEURONS, metric="auroc", selection="by hand", **ORIGIN)


def expertise_of(auroc, neurons=NEURONS, languages=LANGUAGES):
    auroc = np.asarray(auroc, np.float32)
    return Expertise(languages, neurons, auroc, *(np.zeros_like(auroc) for _ in STATISTICS[1:]), **ORIGIN)


def responses_of(texts, seed=0):
    corpus = Corpus.from_texts(texts)
    values = torch.from_numpy(np.random.default_rng(seed).normal(size=(len(corpus), NEURONS.total))).float()
    return Responses(values, corpus, NEURONS, ORIGIN["site"], "max", {})


SETS = {
    "ja": [(0, 1), (0, 2), (5, 8), (2, 0)],
    "de": [(0, 1), (0, 2), (5, 7), (5, 6)],
    "en": [(5, 0), (2, 3)],
    "fr": [(5, 8)],
}
EXPERTS = experts_of(SETS)
EXPERTISE = expertise_of(np.random.default_rng(1).uniform(size=(NEURONS.total, len(LANGUAGES))).round(1))
RESPONSES = responses_of({language: [f"{language} {i}" for i in range(5)] for language in LANGUAGES})
STUDY = made_study()
OF_EXPERTS = {
    "auroc_by_rank": lambda: plots.auroc_by_rank(EXPERTISE, k=4),
    "expert_overlap": lambda: plots.expert_overlap(EXPERTS),
    "experts_heatmap": lambda: plots.experts_heatmap(EXPERTS),
    "experts_per_layer": lambda: plots.experts_per_layer(EXPERTS),
    "response_distributions": lambda: plots.response_distributions(RESPONSES, 2, 3),
}
OF_STUDY = {
    "baseline_bars": (plots.baseline_bars, "baselines"),
    "control_bars": (plots.control_bars, "control_summary"),
    "distance_bars": (plots.distance_bars, "table1"),
    "distance_maps": (plots.distance_maps, "pair_distances"),
    "gain_against_distance": (plots.gain_against_distance, "candidates"),
    "isotropy_bars": (plots.isotropy_bars, "geometry"),
    "language_scatter": (lambda study: plots.language_scatter(study, study["picture"]["target"].max()), "picture"),
    "layer_retrieval": (plots.layer_retrieval, "layers"),
    "retrieval_maps": (plots.retrieval_maps, "retrieval"),
    "subspace_bars": (plots.subspace_bars, "geometry"),
    "sweep_front": (plots.sweep_front, "sweep"),
}
FIGURES = OF_EXPERTS | {name: lambda draw=draw: draw(STUDY) for name, (draw, _) in OF_STUDY.items()}


def traces(figure, kind):
    return [trace for trace in figure.data if trace.type == kind]


def strings(value):
    """Every string of a figure, however deep."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for part in value.values() for text in strings(part)]
    if isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype.kind == "O"):
        return [text for part in value for text in strings(part)]
    return []


# Of all figures -------------------------------------------------------------------------------------------------------


def test_no_public_figure_is_left_out():
    assert set(plots.__all__) == {*FIGURES, "TEMPLATE", "colour_of", "language_order"}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_comes_back_and_is_neither_shown_nor_written(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for way in ("show", "write_html", "write_image", "write_json"):
        monkeypatch.setattr(go.Figure, way, lambda *_, way=way, **__: pytest.fail(f"{way} was called"))
    figure = FIGURES[name]()
    assert type(figure) is go.Figure
    assert figure.layout.title.text
    assert figure.layout.template.layout.colorway == COLOURS
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", OF_STUDY)
def test_the_tables_are_left_as_they_were(name):
    draw, table = OF_STUDY[name]
    mine = {table: STUDY[table].copy()}
    draw(mine)
    pd.testing.assert_frame_equal(mine[table], STUDY[table])


@pytest.mark.parametrize("name", OF_STUDY)
def test_one_table_is_enough_and_without_it_the_error_names_it(name):
    draw, table = OF_STUDY[name]
    draw({table: STUDY[table]})
    with pytest.raises(TLExpertsError, match=rf"needs the study's table '{table}'; did you mean '{table}s'"):
        draw({f"{table}s": STUDY[table], "other": STUDY[table]} if table != "picture" else {"pictures": STUDY[table]})
    with pytest.raises(TLExpertsError, match=rf"'{table}' has no rows"):
        draw({table: STUDY[table].head(0)})


@pytest.mark.parametrize("name", FIGURES)
def test_a_page_asks_nothing_of_the_network(name, tmp_path):
    FIGURES[name]().write_html(tmp_path / "figure.html", full_html=True, include_plotlyjs=True)
    page = (tmp_path / "figure.html").read_text("utf-8")
    assert len(page) > 1_000_000, "plotly.js is inside"
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", re.sub(r"(<script[^>]*>).*?</script>", r"\1", page, flags=re.S))
    assert tags
    assert not [tag for tag in tags if re.search(r"\b(?:src|href)\s*=", tag)]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_survives_json(name):
    figure = FIGURES[name]()
    again = go.Figure(__import__("json").loads(figure.to_json()))
    assert len(again.data) == len(figure.data)
    assert [trace.name for trace in again.data] == [trace.name for trace in figure.data]
