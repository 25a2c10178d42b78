"""Experts of one's own: lists, mask files, and sets that are combined."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tests.bad_inputs import INF, NAN, Row
from tests.bad_inputs.files import folder_of
from tl_experts import (
    Reading,
    TokenStatistics,
    collect_random_statistics,
    collect_statistics,
    experts_from_list,
    experts_from_masks,
    steer,
)
from tl_experts.experts import LeaveOut, scoring_overlap


def masks(m: Any, content: object) -> Path:
    path: Path = folder_of(m) / "masks.pth"
    torch.save(content, path)
    m.ignored.add(path)
    return path


def statistics(m: Any) -> TokenStatistics:
    return collect_random_statistics(m.model, m.corpus, progress=False)


def languages(m: Any) -> TokenStatistics:
    return collect_statistics(m.model, m.corpus, progress=False)


LAYERS = [torch.tensor([3]), torch.tensor([0, 1])]

OWN: list[Row] = [
    *(
        (f"neurons {neurons!r}", lambda m, x=neurons: experts_from_list(m.model, x), words)
        for neurons, words in [
            (None, ("neurons is None", "lists by language")),
            ([(0, 1)], ("lists by language",)),
            ({}, ("neurons is {}",)),
            ({"klingon": [(0, 1)]}, ("klingon",)),
            ({"de": 5}, ("de: 5", "(layer, neuron)")),
            ({"de": ["a"]}, ("de: 'a'",)),
            ({"de": [(0,)]}, ("de: (0,)",)),
            ({"de": [(2, 0)]}, ("layer is 2", "0, 1")),
            ({"de": [(0, 48)]}, ("neuron is 48", "0 to 47")),
            ({"de": [("0", 1)]}, ("layer is '0'", "whole number")),
            ({"de": [(0, 1.5)]}, ("neuron is 1.5",)),
            ({"de": [(0, 1), (0, 1)]}, ("listed twice",)),
            ({"de": [(0, 1, NAN)]}, ("value is nan", "leave it out")),
            ({"de": [(0, 1, INF)]}, ("value is inf",)),
            ({"de": [(0, 1, "2")]}, ("value is '2'",)),
        ]
    ),
    (
        "neurons of no layer",
        lambda m: experts_from_list(m.model, {"de": [(0, 1)]}, reading=Reading(layers=[7])),
        ("layers [7]",),
    ),
    *(
        (f"masks of {name}", lambda m, x=content, c=codes: experts_from_masks(masks(m, x), m.model, c), words)
        for name, content, codes, words in [
            ("a number", 5, ["de"], ("masks.pth", "holds int")),
            ("a dictionary", {"de": LAYERS}, ["de"], ("holds dict",)),
            ("numbers", [[[3], [0]]], ["de"], ("language 0, layer 0", "expected a tensor")),
            ("shares", [[torch.tensor([0.5]), LAYERS[0]]], ["de"], ("float32", "whole numbers")),
            ("a matrix", [[torch.ones(2, 2), LAYERS[0]]], ["de"], ("(2, 2)",)),
            ("one layer", [LAYERS[:1]], ["de"], ("1 layers", "the model 2")),
            ("a wide layer", [[torch.tensor([48]), LAYERS[0]]], ["de"], ("neuron is 48",)),
            ("one language of two", [LAYERS], ["de", "en"], ("1 languages, and 2", "leave it out")),
            ("one language twice", [LAYERS, LAYERS], ["de", "de"], ("de, de",)),
            ("one code", [LAYERS], "de", ("languages is 'de'",)),
            ("no language", [LAYERS], ["klingon"], ("klingon",)),
        ]
    ),
    *(
        (
            f"random tokens of {option} {value!r}",
            lambda m, o=option, v=value: collect_random_statistics(
                m.model, **({"sentences": m.corpus, "progress": False} | {o: v})
            ),
            words,
        )
        for option, value, words in [
            ("seed", -1, ("seed is -1",)),
            ("seed", "0", ("seed is '0'", "whole number")),
            ("sentences", "en", ("str",)),
            ("reading", Reading(layers=[2]), ("layers [2]",)),
        ]
    ),
    *(
        (f"leave out by {name}", lambda m, s=scoring, r=random, b=by: LeaveOut(s, r(m), b), words)
        for name, scoring, random, by, words in [
            ("an unknown scoring", "aucor", statistics, "rate", ("did you mean 'auroc'",)),
            ("nothing", "auroc", lambda _: None, "rate", ("NoneType", "collect_random_statistics")),
            (
                "sentences",
                "auroc",
                lambda m: collect_statistics(m.model, m.corpus, progress=False),
                "rate",
                ("en, de",),
            ),
            ("a median", "auroc", statistics, "median", ("by 'median'", "'mean'")),
        ]
    ),
    ("overlap of nothing", lambda _: scoring_overlap({}), ("found is {}",)),
    ("overlap of a set", lambda _: scoring_overlap({"a": {(0, 1)}}), ("a: expected Experts, got set",)),
    (
        "overlap of other languages",
        lambda m: scoring_overlap({"a": m.experts, "b": m.experts["de"]}),
        ("b has experts of de",),
    ),
    ("masks from nowhere", lambda m: experts_from_masks("nowhere.pth", m.model, ["de"]), ("nowhere.pth",)),
    (
        "masks of text",
        lambda m: experts_from_masks(folder_of(m, a__pth="PK") / "a.pth", m.model, ["de"]),
        ("a.pth", "torch.save"),
    ),
    (
        "neurons without values",
        lambda m: steer(m.model, experts_from_list(m.model, {"de": [(0, 1)]})).__enter__(),
        ("mean response", "with_statistics"),
    ),
    (
        "statistics of another site",
        lambda m: replace(m.experts, site="mlp.hook_pre").with_statistics(m.expertise),
        ("differ in site",),
    ),
    *(
        (f"experts {sign} {name}", lambda m, f=f, x=x: f(m.experts, x(m)), words)
        for sign, f in [("|", lambda a, b: a | b), ("&", lambda a, b: a & b), ("-", lambda a, b: a - b)]
        for name, x, words in [
            ("a set", lambda _: {(0, 1)}, ("set", "expected Experts")),
            ("another site", lambda m: replace(m.experts, site="mlp.hook_pre"), ("differ in site",)),
            ("another model", lambda m: replace(m.experts, fingerprint={"weights": "0"}), ("two models",)),
        ]
    ),
]
