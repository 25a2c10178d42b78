"""Experts and steering."""

from itertools import product
from typing import Any

from tests.bad_inputs import INF, NAN, QUIET, Row
from tests.bad_inputs.files import folder_of
from tl_experts import (
    Experts,
    Reading,
    ResponseStore,
    Steering,
    TokenStatistics,
    collect_both,
    collect_for_steering,
    collect_statistics,
    find_experts,
    intervention_hooks,
    select_experts,
    steer,
    store_responses,
)
from tl_experts.experts import AlignedLape, Dln, Lape, SparseProbe
from tl_experts.steering.affine import AffineMap
from tl_experts.steering.generation import generate_texts, text_perplexity
from tl_experts.steering.transport import fit_transport, fit_transport_by_layer


def stored(m: Any, **options: Any) -> ResponseStore:
    folder = m.folder / "given"
    store = store_responses(m.model, m.corpus, folder, **options, **QUIET)
    m.ignored |= {folder, *folder.rglob("*")}
    return store


EXPERTS: list[Row] = [
    *(
        (f"{name} k {k}", lambda m, f=f, k=k: f(m, k=k), (f"is {k}",))
        for (name, f), k in product(
            [
                ("find", lambda m, **o: find_experts(m.model, m.corpus, **o, **QUIET)),
                ("select", lambda m, **o: select_experts(m.expertise, **o)),
            ],
            (0, -1, 97, 10**9),
        )
    ),
    *(
        (f"{name} threshold {t}", lambda m, f=f, t=t: f(m, threshold=t), (str(t),))
        for (name, f), t in product(
            [
                ("find", lambda m, **o: find_experts(m.model, m.corpus, **o, **QUIET)),
                ("select", lambda m, **o: select_experts(m.expertise, **o)),
            ],
            (-0.1, 1.5, NAN, INF),
        )
    ),
    *(
        (f"{name} {option} {value!r}", lambda m, f=f, o=option, v=value: f(m, **{o: v}), (repr(value),))
        for (name, f), (option, value) in product(
            [
                ("find", lambda m, **o: find_experts(m.model, m.corpus, k=2, **o, **QUIET)),
                ("select", lambda m, **o: select_experts(m.expertise, k=2, **o)),
            ],
            [*product(["scoring"], ["auc", "AP", "", 5, ["lape"]]), ("how", "best"), ("how", "Top")],
        )
    ),
    *(
        (f"{name} k {k!r}", lambda m, f=f, k=k: f(m, k=k), (f"k is {k!r}", "whole number"))
        for (name, f), k in product(
            [
                ("find", lambda m, **o: find_experts(m.model, m.corpus, **o, **QUIET)),
                ("select", lambda m, **o: select_experts(m.expertise, **o)),
            ],
            (5.5, "5", True),
        )
    ),
    *(
        (f"{f.__name__} {name}", lambda m, f=f, x=x: f(m.model, x, **QUIET), (type(x).__name__,))
        for f, (name, x) in product(
            (collect_statistics, collect_both, collect_for_steering),
            [("of a string", "en"), ("of a dictionary", {"en": ["a"]}), ("of nothing", None)],
        )
    ),
    *(
        (
            f"{f.__name__} layer 2",
            lambda m, f=f: f(m.model, m.corpus, reading=Reading(layers=[2]), **QUIET),
            ("layers [2]", "0 to 1"),
        )
        for f in (collect_statistics, collect_both, collect_for_steering)
    ),
    (
        "neurons of the residual stream for steering",
        lambda m: collect_for_steering(m.model, m.corpus, reading=Reading(site="hook_resid_post"), **QUIET),
        ("hook_resid_post", "mlp.hook_post"),
    ),
    ("statistics from nowhere", lambda _: TokenStatistics.from_pretrained("nowhere"), ("nowhere", "is the path right")),
    (
        "statistics of experts",
        lambda m: TokenStatistics.from_pretrained(folder_of(m, experts__json="{}")),
        ("expected 'token_statistics'",),
    ),
    (
        "statistics of a folder that has none",
        lambda m: stored(m).statistics(),
        ("keeps no statistics", "statistics=True"),
    ),
    (
        "quantiles of a folder that has none",
        lambda m: stored(m, statistics=True).statistics(quantiles=True),
        ("statistics with quantiles", "shard 0 of 1", "are missing"),
    ),
    (
        "dln from statistics without quantiles",
        lambda m: select_experts(
            m.expertise, scoring="dln", tokens=collect_statistics(m.model, m.corpus, **QUIET), k=2
        ),
        ("quantiles=True",),
    ),
    (
        "statistics of a part alone",
        lambda m: stored(m, statistics=True, part=(2, 2)).statistics(),
        ("shard 0 of 1", "are missing"),
    ),
    (
        "statistics merged with themselves",
        lambda m: (lambda s: s.merge(s))(collect_statistics(m.model, m.corpus, **QUIET)),
        ("is in both", "counted once"),
    ),
    *(
        (f"{scoring.__name__} {option} {value!r}", lambda _, f=scoring, o=option, v=value: f(**{o: v}), (repr(value),))
        for scoring, option, value in [
            *product((Lape, AlignedLape), ("rate", "bar_rate"), (0, -0.1, 1.5, NAN, INF, "1%", None, True)),
            *product((Dln,), ("percentile",), (0, -1, 101, NAN, INF, "1%", None, True)),
            *product((AlignedLape,), ("weight",), (-0.1, NAN, INF, "auto")),
            *product((SparseProbe,), ("c",), (0, -1.0, NAN, INF, "1", None)),
        ]
    ),
    *(
        (
            f"select by {scoring} without what it needs",
            lambda m, s=scoring: select_experts(m.expertise, k=2, scoring=s),
            (what,),
        )
        for scoring, what in [
            ("lape", "collect_statistics"),
            ("aligned_lape", "collect_statistics"),
            ("token_mean_difference", "collect_statistics"),
            ("dln", "collect_statistics"),
            ("mean_difference", "collect_responses"),
            ("probe", "collect_responses"),
        ]
    ),
    *(
        (
            f"find by lape {options}",
            lambda m, o=options: find_experts(m.model, m.corpus, scoring="lape", **o, **QUIET),
            words,
        )
        for options, words in [
            ({"how": "bottom"}, ("needs k",)),
            ({"how": "both"}, ("needs k",)),
            ({"k": 97}, ("is 97",)),
        ]
    ),
    (
        "both ends with a threshold",
        lambda m: select_experts(m.expertise, threshold=0.5, how="both"),
        ("takes k",),
    ),
    ("both ends of too many", lambda m: select_experts(m.expertise, k=49, how="both"), ("is 49", "lower k to 48")),
    (
        "a scoring of the wrong shape",
        lambda m: select_experts(m.expertise, k=2, scoring=lambda e: e.expertise.auroc.T),
        ("expected a float array",),
    ),
    ("random with a threshold", lambda m: select_experts(m.expertise, threshold=0.5, how="random"), ("takes k",)),
    (
        "a threshold that no neuron reaches",
        lambda m: select_experts(m.expertise, threshold=0.0, how="bottom", k=1),
        ("no neuron reaches",),
    ),
    *(
        (f"select layers {x}", lambda m, x=x: select_experts(m.expertise, k=1, layers=x), ("choose among",))
        for x in ([], [2], [-1])
    ),
    ("random seed -1", lambda m: select_experts(m.expertise, k=1, how="random", seed=-1), ("seed is -1",)),
    (
        "one language to find",
        lambda m: find_experts(m.model, m.corpus.only(["en"]), k=1, **QUIET),
        ("only one language", "add some"),
    ),
    *((f"experts[{c!r}]", lambda m, c=c: m.experts[c], (c,)) for c in ["fr", "klingon", "xx"]),
    ("experts only nothing", lambda m: m.experts.only([]), ("name at least one",)),
    *((f"experts head {n}", lambda m, n=n: m.experts.head(n), (f"head({n})", "give 1 to 5")) for n in (0, -1, 6)),
    *((f"experts head {n!r}", lambda m, n=n: m.experts.head(n), (f"k is {n!r}", "whole")) for n in (5.5, "5", True)),
    ("control seed -1", lambda m: m.experts.random_control(seed=-1), ("seed is -1",)),
    *((f"expertise column {c!r}", lambda m, c=c: m.expertise.column(c), (c,)) for c in ["fr", "klingon"]),
    ("experts from nowhere", lambda _: Experts.from_pretrained("nowhere"), ("nowhere", "is the path right")),
    ("experts from a repository", lambda _: Experts.from_pretrained("me/nowhere"), ("me/nowhere", "Hugging Face Hub")),
    ("experts to no repository", lambda m: m.experts.push_to_hub("nowhere"), ("'nowhere'", "user/repo")),
    ("experts of an empty folder", lambda m: Experts.from_pretrained(folder_of(m)), ("experts.json",)),
    *(
        (
            f"experts of {content!r}",
            lambda m, c=content: Experts.from_pretrained(folder_of(m, experts__json=c)),
            ("experts",),
        )
        for content in ("", "{", "[]", "{}", "null")
    ),
    *(
        (
            f"experts file of {content!r}",
            lambda m, c=content: Experts.from_pretrained(folder_of(m, a__safetensors=c) / "a.safetensors"),
            ("a.safetensors",),
        )
        for content in ("", "x", "0" * 100)
    ),
    ("save onto a file", lambda m: m.experts.save_pretrained(folder_of(m, a="x") / "a"), ("is a file",)),
    ("save below a file", lambda m: m.experts.save_pretrained(folder_of(m, a="x") / "a" / "b"), ("cannot be written",)),
    *(
        (f"{name} {kind}", lambda m, f=f, x=x: f(m, x), ("expected Experts", type(x).__name__))
        for (name, f), (kind, x) in product(
            [
                ("hooks of", lambda m, x: intervention_hooks(x)),
                ("steer with", lambda m, x: steer(m.model, x).__enter__()),
                ("a steering of", lambda m, x: Steering(x)),
            ],
            [("a string", "de"), ("none", None), ("a list", [1])],
        )
    ),
    *(
        (f"{name} several languages", lambda m, f=f: f(m), ("4 languages", "steer with those of one"))
        for name, f in [
            ("hooks of", lambda m: intervention_hooks(m.experts)),
            ("steer with", lambda m: steer(m.model, m.experts).__enter__()),
            ("a steering of", lambda m: Steering(m.experts)),
        ]
    ),
    *(
        (f"{name} {option} {value!r}", lambda m, f=f, o=option, v=value: f(m, **{o: v}), (str(value),))
        for (name, f), (option, value) in product(
            [
                ("hooks", lambda m, **o: intervention_hooks(m.experts["de"], **o)),
                ("steer", lambda m, **o: steer(m.model, m.experts["de"], **o).__enter__()),
                ("steering", lambda m, **o: Steering(m.experts["de"], **o)),
            ],
            [
                ("operation", "replace"),
                ("operation", ""),
                ("value", "average"),
                ("value", "max"),
                ("positions", "first"),
                ("positions", "ALL"),
                ("strength", NAN),
                ("strength", INF),
                ("strength", 2.0),
                ("strength", -0.5),
                ("strength", "1"),
                ("value", [1.0]),
                ("value", 1.0),
                ("keep_norm", "yes"),
            ],
        )
    ),
    (
        "damp a control",
        lambda m: intervention_hooks(m.experts["de"].random_control(seed=0), operation="damp"),
        ("needs the neurons' AUROC",),
    ),
    ("steer with nothing", lambda m: steer(m.model, []).__enter__(), ("the list of steerings is empty",)),
    (
        "options beside a steering",
        lambda m: intervention_hooks(Steering(m.experts["de"]), strength=0.5),
        ("belong to each Steering",),
    ),
    (
        "save a function",
        lambda m: Steering(m.experts["de"], operation=max).save_pretrained("here"),
        ("'max' is a function, which cannot be saved",),
    ),
    ("steering from nowhere", lambda _: Steering.from_pretrained("nowhere"), ("nowhere", "is the path right")),
    *(
        (
            f"steering of {content!r}",
            lambda m, c=content: Steering.from_pretrained(folder_of(m, steering__json=c)),
            ("steering",),
        )
        for content in ("", "{", "[]", "{}", "null")
    ),
    *(
        (
            f"transport {option} {value!r}",
            lambda m, o={option: value}: fit_transport(m.responses, **({"target": "de"} | o)),
            words,
        )
        for option, value, words in [
            ("target", "fr", ("target 'fr'",)),
            ("target", "klingon", ("klingon",)),
            ("source", "fr", ("source 'fr'",)),
            ("source", "de", ("give two languages",)),
            ("kind", "cubic", ("kind 'cubic'",)),
            ("kind", None, ("kind None",)),
            ("quantiles", (1, 0), ("quantiles is (1, 0)",)),
            ("quantiles", (-1, 1), ("quantiles is (-1, 1)",)),
            ("quantiles", 0.5, ("quantiles is 0.5",)),
        ]
    ),
    (
        "transport by layer to an unknown language",
        lambda m: fit_transport_by_layer(m.model, m.corpus, "fr", **QUIET),
        ("target 'fr'",),
    ),
    (
        "a value over tokens that experts lack",
        lambda m: Steering(m.experts["de"], value="diffmean"),
        ("'diffmean' needs means over tokens",),
    ),
    ("map from nowhere", lambda _: AffineMap.from_pretrained("nowhere"), ("nowhere", "is the path right")),
    (
        "generated without steer",
        lambda m: intervention_hooks(m.experts["de"], positions="generated"),
        ("use steer",),
    ),
    *(
        (
            f"generate {option} {value}",
            lambda m, o=option, v=value: generate_texts(
                m.model, **({"count": 1, "max_new_tokens": 2, "seed": 0} | {o: v})
            ),
            (str(value),),
        )
        for option, value in [
            ("count", 0),
            ("count", -1),
            ("max_new_tokens", 0),
            ("temperature", 0.0),
            ("temperature", -1.0),
            ("top_p", 0.0),
            ("top_p", 1.5),
            ("batch_size", 0),
        ]
    ),
    ("perplexity of nothing", lambda m: text_perplexity(m.model, "", window=8, stride=4), ("no token",)),
]
