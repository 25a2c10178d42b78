"""Studies and pages."""

from pathlib import Path
from typing import Any

from tests.bad_inputs import Row
from tests.bad_inputs.files import folder_of
from tl_experts import (
    CompareConfig,
    CompareResult,
    StudyConfig,
    StudyResult,
    compare,
    run_study,
    write_report,
)
from tl_experts.pages.inspector.runs import open_run
from tl_experts.study import load_config


def compared_by(name: str, value: Any) -> CompareConfig:
    return CompareConfig(**({"name": "x", "model": "y"} | {name: value}))


WRONG: dict[str, list[Any]] = {
    "targets": ["es", [5], ["klingon"], []],
    "probe_languages": ["es", [None], ["klingon"]],
    "languages": [5, ["12"]],
    "k": [0, -1, "many", 1.5, True],
    "sweep_k": [5, [0], [-1], ["x"], [1.5]],
    "sweep_rows": [0, "x"],
    "texts": [0, -1, "x", None],
    "text_seeds": [0, 1.5],
    "text_tokens": [0, "x"],
    "stride": [0, "x"],
    "dev_rows": [0, "x"],
    "test_rows": [-5, 2.5],
    "metric": ["auc", 5],
    "site": [5],
    "pooling": ["sum", 5],
    "value": ["max", 5, "diffmean"],
    "distance_level": ["words", 5],
    "medoid": ["median", 5],
    "subspace_rank": [0, "x"],
    "picture": ["tsne", 5],
    "control_seeds": [-1, "x"],
    "paraphrases": [5],
    "pairs": [5],
    "resamples": [0, "x"],
    "seed": [-1, "x"],
    "dtype": ["float8", 5],
    "response_dtype": ["int8", 5],
    "name": [5],
    "model": [5],
}


def study_of(m: Any, toml: str) -> object:
    return load_config(folder_of(m, a__toml=toml) / "a.toml")


STUDIES: list[Row] = [
    *(
        (
            f"study {name} {value!r}",
            lambda _, n=name, v=value: StudyConfig(**({"name": "x", "model": "y"} | {n: v})),
            (name if value not in (["klingon"], ["12"]) else "language",),
        )
        for name, values in WRONG.items()
        for value in values
    ),
    ("study without k", lambda _: StudyConfig(name="x", model="y", k=None, sweep_k=()), ("neither k nor sweep_k",)),
    *(
        (f"study options {options}", lambda _, o=options: StudyConfig.from_dict(o), words)
        for options, words in [
            ({}, ("name and model", "must be given")),
            ({"name": "x"}, ("model must be given",)),
            ({"name": "x", "model": "y", "kk": 5}, ("'kk' is not known",)),
            ({"Name": "x"}, ("'Name'",)),
        ]
    ),
    *(
        (f"study {source!r}", lambda _, s=source: load_config(s), (source, "neither a TOML file"))
        for source in ("nowhere", "aya-8", "polyglotmini")
    ),
    *(
        (f"toml {text!r}", lambda m, t=text: study_of(m, t), words)
        for text, words in [
            ("", ("must be given",)),
            ("[", ("is not TOML",)),
            ("name = ", ("is not TOML",)),
            ("name = 'a'\nname = 'b'", ("is not TOML",)),
            ("name = 'a'\nmodel = 5", ("model is 5",)),
            ("name = 'a'\nmodel = 'b'\ntarget = ['es']", ("'target' is not known",)),
            ("name = 'a'\nmodel = 'b'\nk = 0", ("k is 0",)),
            ("name = 'a'\nmodel = 'b'\nseed = 1.5", ("seed is 1.5",)),
            ("name = 2024-01-01\nmodel = 'b'", ("name is",)),
        ]
    ),
    (
        "study of a target without text",
        lambda m: run_study(
            StudyConfig(name="x", model="y", targets=("ko",)), m.folder / "x", model=m.model, progress=False
        ),
        ("'ko'",),
    ),
    (
        "comparison of a target without text",
        lambda m: compare(
            CompareConfig(name="x", model="y", targets=("ko",)), m.folder / "x", model=m.model, progress=False
        ),
        ("'ko'",),
    ),
    (
        "comparison with prompts from nowhere",
        lambda m: compare(
            CompareConfig(name="x", model="y", targets=("es",), prompts="nowhere"), m.folder / "x", progress=False
        ),
        ("'nowhere'", "neither 'bundled' nor a file"),
    ),
    *(
        (f"comparison {name} {value!r}", lambda _, n=name, v=value: compared_by(n, v), (name,))
        for name, value in [
            ("holds", ["set nothing"]),
            ("holds", "set mean"),
            ("scorings", ["luck"]),
            ("counts", [0]),
            ("trials", True),
            ("texts", 0),
            ("name", "a/../b"),
            ("equal_kl", -1.0),
            ("equal_kl", "x"),
            ("prompts", 5),
            ("chat", True),
            ("silencing_rows", -1),
        ]
    ),
    ("comparison from nowhere", lambda _: CompareResult.load("nowhere"), ("nowhere", "holds no comparison")),
    *(
        (f"comparison of {text!r}", lambda m, t=text: CompareResult.load(folder_of(m, comparison__json=t)), words)
        for text, words in [("", ("comparison.json",)), ("[]", ("comparison.json",)), ("{}", ("comparison.json",))]
    ),
    ("result from nowhere", lambda _: StudyResult.load("nowhere"), ("nowhere",)),
    ("result of an empty folder", lambda m: StudyResult.load(folder_of(m)), ("holds no study", "expected a folder")),
    *(
        (f"result of {text!r}", lambda m, t=text: StudyResult.load(folder_of(m, study__json=t)), ("study.json",))
        for text in ("", "{", "[]", "{}", '{"stages": 5}')
    ),
    ("report from nowhere", lambda _: write_report(StudyResult.load("nowhere")), ("nowhere",)),
    ("run of nowhere", lambda _: open_run(Path("nowhere")), ("nowhere",)),
    ("run of an empty folder", lambda m: open_run(folder_of(m)), ("given",)),
]
