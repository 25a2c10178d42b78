"""Vectors and numbers."""

from itertools import product

import numpy as np
import torch

from tests.bad_inputs import INF, NAN, Row
from tl_experts import top1_accuracy
from tl_experts.analysis.arrays import as_tensor
from tl_experts.analysis.distances import language_distances, translation_distance
from tl_experts.analysis.isotropy import isoscore, mean_random_cosine, partition_ratio
from tl_experts.analysis.retrieval import cosine_similarity, csls, hubness, ratio_margin, scored
from tl_experts.analysis.statistics import (
    bootstrap_means,
    detectable_difference,
    fitted_line,
    holm,
    mean_interval,
    paired_gain,
    pearson,
)
from tl_experts.analysis.subspace import language_subspace, variance_shares


def cloud(*shape: int, bad: float | None = None) -> torch.Tensor:
    """Vectors, one of whose numbers may be bad."""
    vectors = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    if bad is not None:
        vectors[0, 0] = bad
    return vectors


VECTORS: list[Row] = [
    *(
        (f"{name} of {bad}", lambda _, f=f, b=bad: f(cloud(4, 3), cloud(4, 3, bad=b)), ("NaN or infinite",))
        for (name, f), bad in product(
            [
                ("top1", top1_accuracy),
                ("cosine", cosine_similarity),
                ("distances", lambda a, b: language_distances({"en": a, "de": b})),
                ("translations", lambda a, b: translation_distance({"en": a, "de": b})),
                ("subspace", lambda a, b: language_subspace({"en": a, "de": b})),
                ("shares", lambda a, b: variance_shares({"en": a, "de": b})),
            ],
            (NAN, INF, -INF),
        )
    ),
    *(
        (f"{name} of {bad}", lambda _, f=f, b=bad: f(cloud(4, 3, bad=b)), ("NaN or infinite",))
        for (name, f), bad in product(
            [("random cosine", mean_random_cosine), ("partition", partition_ratio), ("isoscore", isoscore)], (NAN, INF)
        )
    ),
    *(
        (f"{name} of no rows", lambda _, f=f: f(cloud(0, 3), cloud(0, 3)), ("at least one row",))
        for name, f in [("top1", top1_accuracy), ("cosine", cosine_similarity)]
    ),
    *(
        (
            f"{name} of unequal {shape}",
            lambda _, f=f, s=shape: f(cloud(4, 3), cloud(*s)),
            ("differ in shape", str(shape)),
        )
        for (name, f), shape in product([("top1", top1_accuracy), ("cosine", cosine_similarity)], [(5, 3), (4, 2)])
    ),
    *(
        (f"{name} of one", lambda _, f=f: f(cloud(1, 3)), ("1 vector(s); give two",))
        for name, f in [("random cosine", mean_random_cosine), ("partition", partition_ratio), ("isoscore", isoscore)]
    ),
    ("isoscore of one dimension", lambda _: isoscore(cloud(4, 1)), ("two or more",)),
    ("isoscore of a point", lambda _: isoscore(torch.ones(4, 3)), ("all vectors are the same",)),
    (
        "shares of a point",
        lambda _: variance_shares({"en": torch.ones(4, 3), "de": torch.ones(4, 3)}),
        ("no variance",),
    ),
    ("shares of unequal", lambda _: variance_shares({"en": cloud(4, 3), "de": cloud(5, 3)}), ("aligned rows",)),
    ("subspace of one", lambda _: language_subspace({"en": cloud(4, 3)}), ("1 language(s)", "two or more")),
    *(
        (
            f"subspace rank {r}",
            lambda _, r=r: language_subspace({"en": cloud(4, 3), "de": cloud(4, 3) + 1}, rank=r),
            (str(r),),
        )
        for r in (0, -1, 2, 9)
    ),
    ("distances of one", lambda _: language_distances({"en": cloud(4, 3)}), ("1 language(s)",)),
    (
        "distances of a stranger",
        lambda _: language_distances({"en": cloud(4, 3), "de": cloud(4, 3)}).table1("fr"),
        ("fr",),
    ),
    *(
        (f"{name} neighbours {n}", lambda _, f=f, n=n: f(cloud(3, 3), neighbours=n), (f"is {n}", "1 or more"))
        for (name, f), n in product([("csls", csls), ("margin", ratio_margin)], (0, -1))
    ),
    *(
        (f"{name} neighbours {n}", lambda _, f=f, n=n: f(cloud(3, 3), neighbours=n), (f"neighbours is {n}", "whole"))
        for (name, f), n in product([("csls", csls), ("margin", ratio_margin), ("hubness", hubness)], (5.0, True))
    ),
    *((f"hubness neighbours {n}", lambda _, n=n: hubness(cloud(3, 3), neighbours=n), (f"is {n}",)) for n in (0, -1)),
    ("vectors of text", lambda _: as_tensor(np.array([["one"]])), ("array of numbers", "<U3")),
    *(
        (f"resamples {n!r}", lambda _, n=n: mean_interval(np.arange(5.0), seed=0, resamples=n), (f"is {n!r}",))
        for n in (0, -1, 10.0, "10")
    ),
    *((f"measure {m_!r}", lambda _, x=m_: scored(cloud(3, 3), x), (repr(m_),)) for m_ in ("cos", "CSLS", "")),
    *((f"holm {p}", lambda _, p=p: holm(p), ("from 0 to 1",)) for p in ([-0.1], [1.1], [NAN], [0.5, 2.0])),
    *(
        (f"power {x}", lambda _, x=x: detectable_difference(np.arange(5.0), power=x), (f"power is {x}", "0.8"))
        for x in (0, 1, -1, 80)
    ),
    *(
        (f"level {x}", lambda _, x=x: mean_interval(np.arange(5.0), seed=0, level=x), (f"level is {x}", "0.95"))
        for x in (0, 1, -1, 2.0, 95)
    ),
    *(
        (f"bootstrap of {kind}", lambda _, v=v: bootstrap_means(v, seed=0, resamples=10), words)
        for kind, v, words in [
            ("nothing", np.zeros((2, 0)), ("at least one sentence",)),
            ("NaN", np.full((1, 3), NAN), ("NaN or infinite",)),
            ("inf", np.full((1, 3), INF), ("NaN or infinite",)),
        ]
    ),
    ("gain of unequal", lambda _: paired_gain(np.zeros(3), np.zeros(4), seed=0), ("same sentences twice",)),
    *(
        (f"pearson of {kind}", lambda _, a=a, b=b: pearson(a, b, seed=0), words)
        for kind, a, b, words in [
            ("unequal", np.arange(4.0), np.arange(5.0), ("4", "5")),
            ("two", np.arange(2.0), np.arange(2.0), ("2",)),
            ("a constant", np.ones(4), np.arange(4.0), ("vary",)),
            ("NaN", np.array([1, 2, NAN]), np.arange(3.0), ("finite",)),
        ]
    ),
    *(
        (
            f"line of {kind}",
            lambda _, a=a: fitted_line(a, np.arange(float(len(a))), np.zeros(1), seed=0),
            ("three or more",),
        )
        for kind, a in [
            ("two", np.arange(2.0)),
            ("a constant", np.ones(4)),
            ("NaN", np.array([1, 2, NAN])),
            ("inf", np.array([1, 2, INF])),
        ]
    ),
]
