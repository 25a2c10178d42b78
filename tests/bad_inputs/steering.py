"""Silencing, fallback, directions, subspaces."""

from tests.bad_inputs import NAN, QUIET, Row
from tests.bad_inputs.files import folder_of
from tl_experts import SilencingMatrix, collect_statistics, silencing_matrix
from tl_experts.models.batches import Batching
from tl_experts.models.losses import loss_batches
from tl_experts.plots import silencing_map, silencing_side_by_side
from tl_experts.steering import Fallback, SubspaceSwap, fallback_languages, language_direction, language_swap

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
    ("maps of no matrix", lambda _: silencing_side_by_side({}), ("at least one",)),
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
    *(
        (f"fallback {name}", lambda m, a=arguments, o=options: fallback_languages(m.model, *a(m), **o, **QUIET), words)
        for name, arguments, options, words in [
            ("of a string", lambda m: ("de", ["de"]), {}, ("expected Experts, got str",)),
            ("order []", lambda m: (m.experts, []), {}, ("order is []",)),
            ("order 'de'", lambda m: (m.experts, "de"), {}, ("order is 'de'", "expected a list")),
            ("order twice", lambda m: (m.experts, ["de", "deu"]), {}, ("different languages",)),
            ("order fr", lambda m: (m.experts, ["fr"]), {}, ("'fr'",)),
            ("count 0", lambda m: (m.experts, ["de"]), {"count": 0}, ("count is 0",)),
            ("count 1.0", lambda m: (m.experts, ["de"]), {"count": 1.0}, ("count is 1.0",)),
            ("among one", lambda m: (m.experts, ["de"]), {"languages": ["de"]}, ("cannot be distinguished",)),
        ]
    ),
    ("fallback from nowhere", lambda _: Fallback.from_pretrained("nowhere"), ("nowhere", "is the path right")),
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
