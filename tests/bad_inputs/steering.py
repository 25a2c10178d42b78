"""Silencing, directions, subspaces."""

from tests.bad_inputs import NAN, QUIET, Row
from tests.bad_inputs.files import folder_of
from tl_experts import SilencingMatrix, collect_statistics, silencing_matrix
from tl_experts.models.batches import Batching
from tl_experts.models.losses import loss_batches
from tl_experts.plots import silencing_map
from tl_experts.steering import SubspaceSwap, language_direction, language_swap

STEERING: list[Row] = [
    *(
        (f"silence with {name}", lambda m, x=x: silencing_matrix(m.model, x, m.corpus, **QUIET), words)
        for name, x, words in [
            ("a string", "de", ("expected Experts, got str",)),
            ("nothing", None, ("expected Experts, got NoneType",)),
        ]
    ),
    *(
        (f"silence for {name}", lambda m, x=x: silencing_matrix(m.model, m.experts, x, **QUIET), words)
        for name, x, words in [
            ("a list", ["a"], ("expected a Corpus, got list",)),
            ("nothing", None, ("expected a Corpus, got NoneType",)),
        ]
    ),
    (
        "silence where a language has no text",
        lambda m: silencing_matrix(m.model, m.experts, m.corpus.only(["en", "de"]), **QUIET),
        ("no text in ru, ja", "experts.only(['en', 'de'])"),
    ),
    (
        "silence for one language",
        lambda m: silencing_matrix(m.model, m.experts.only(["de"]), m.corpus.only(["de"]), **QUIET),
        ("in de only", "two languages"),
    ),
    *(
        (
            f"silence {option} {value!r}",
            lambda m, o=option, v=value: silencing_matrix(
                m.model, m.experts.only(["de"]), m.corpus.head(1), **({"control_seeds": 1} | {o: v}), **QUIET
            ),
            (f"{option} is {value!r}",),
        )
        for option, value in [
            ("control_seeds", 0),
            ("control_seeds", 1.0),
            ("control_seeds", True),
            ("seed", -1),
            ("resamples", 0),
            ("resamples", "10"),
        ]
    ),
    ("silence a model that is none", lambda m: silencing_matrix(5, m.experts, m.corpus, **QUIET), ("int",)),
    (
        "losses of a single token",
        lambda m: loss_batches(m.model, ["a"], Batching(prepend_bos=False)),
        ("'a'", "no token to predict"),
    ),
    ("map of no matrix", lambda _: silencing_map({}), ("is empty",)),
    ("matrix from nowhere", lambda _: SilencingMatrix.from_pretrained("nowhere"), ("nowhere", "is the path right")),
    *(
        (
            f"direction {option} {value!r}",
            lambda m, o={option: value}: language_direction(m.responses, **({"target": "de"} | o)),
            words,
        )
        for option, value, words in [
            ("target", "fr", ("target 'fr'",)),
            ("source", "de", ("give two languages",)),
            ("kind", "svm", ("kind 'svm'",)),
            ("layers", [2], ("layers [2]", "0, 1")),
            ("regularisation", -1, ("regularisation is -1", "shrinkage")),
            ("regularisation", NAN, ("regularisation is nan", "shrinkage")),
            ("regularisation", "auto", ("regularisation is 'auto'",)),
        ]
    ),
    *(
        (
            f"swap {option} {value!r}",
            lambda m, o={option: value}: language_swap(
                collect_statistics(m.model, m.corpus, **QUIET), **({"target": "de"} | o)
            ),
            words,
        )
        for option, value, words in [
            ("target", "fr", ("'fr' was not counted",)),
            ("layers", [], ("layers []", "0, 1")),
            ("rank", 4, ("rank 4", "1 to 3")),
            ("rank", 1.0, ("rank is 1.0", "whole")),
        ]
    ),
    ("swap from nowhere", lambda _: SubspaceSwap.from_pretrained("nowhere"), ("nowhere", "is the path right")),
    *(
        (
            f"matrix of {content!r}",
            lambda m, c=content: SilencingMatrix.from_pretrained(folder_of(m, silencing_matrix__json=c)),
            ("silencing_matrix",),
        )
        for content in ("", "{", "[]", "{}", "null")
    ),
]
