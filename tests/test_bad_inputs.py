"""Bad inputs, as a table: each is refused by an error of the family that names the value and the way out.

A row is what is done and the words its message must hold. Nothing half-written may be left by any of them.
"""

import re
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tl_experts
from tl_experts import (
    Corpus,
    Experts,
    ResponseStore,
    StudyConfig,
    StudyResult,
    collect_responses,
    embed,
    find_experts,
    inspect,
    intervention_hooks,
    load_model,
    load_sentences,
    merge_stores,
    responses_from_cache,
    run_study,
    score_responses,
    select_experts,
    steer,
    store_embeddings,
    store_responses,
    top1_accuracy,
    write_report,
)
from tl_experts.analysis.distances import language_distances
from tl_experts.analysis.isotropy import isoscore, mean_random_cosine, partition_ratio
from tl_experts.analysis.retrieval import MEASURES, cosine_similarity, csls, ratio_margin, scored
from tl_experts.analysis.statistics import bootstrap_means, fitted_line, holm, mean_interval, paired_gain, pearson
from tl_experts.analysis.subspace import language_subspace, variance_shares
from tl_experts.cli.commands import main
from tl_experts.corpus.languages import language_code
from tl_experts.corpus.pairs import load_pairs, load_paraphrases
from tl_experts.errors import TLExpertsError
from tl_experts.experts.expertise import METRICS
from tl_experts.jobs.workers import require_executor
from tl_experts.models import SITES
from tl_experts.models.pooling import POOLINGS
from tl_experts.pages.inspector.runs import open_run
from tl_experts.steering.generation import generate_texts, text_perplexity
from tl_experts.steering.interventions import OPERATIONS, POSITIONS, VALUES
from tl_experts.study import load_config

Row = tuple[str, Callable[[Any], object], tuple[str, ...]]
QUIET: dict[str, Any] = {"progress": False}
NAN = float("nan")
INF = float("inf")


class Made(SimpleNamespace):
    """Hypothesis prints what fails."""

    def __repr__(self) -> str:
        return "made"


@pytest.fixture(scope="module")
def made(model_of, checkpoint, corpus) -> Made:
    """What rows start from."""
    model = model_of("llama")
    responses = collect_responses(model, corpus, **QUIET)
    expertise = score_responses(responses, **QUIET)
    return Made(
        model=model,
        path=str(checkpoint("llama")),
        corpus=corpus,
        responses=responses,
        expertise=expertise,
        experts=select_experts(expertise, k=5),
    )


# --- languages and corpora ------------------------------------------------------------------------------------------

CODES = ["", "e", "english please", "12", "??", "xx-", "klingon", "a b", "en_", "日本語"]
EMPTY = ["", " ", "\n\t", "\u3000"]

CORPORA: list[Row] = [
    *((f"code {code!r}", lambda _, c=code: language_code(c), (repr(code),)) for code in CODES),
    *((f"from_texts code {code!r}", lambda _, c=code: Corpus.from_texts({c: ["a"]}), (repr(code),)) for code in CODES),
    *(
        (f"load languages {code!r}", lambda _, c=code: load_sentences(split="dev", languages=[c]), (c,))
        for c in ["klingon", "12"]
        for code in [c]
    ),
    *(
        (f"only {code!r}", lambda m, c=code: m.corpus.only([c]), (c,))
        for code in ["klingon", "fr", "12"]
        for c in [code]
    ),
    *((f"corpus[{code!r}]", lambda m, c=code: m.corpus[c], (code,)) for code in ["klingon", "fr", "ko"]),
    *(
        (f"empty text {text!r}", lambda _, t=text: Corpus.from_texts({"en": ["a", t]}), ("is empty", "remove it"))
        for text in EMPTY
    ),
    *(
        (f"no text {texts}", lambda _, t=texts: Corpus.from_texts(t), ("sentence",))
        for texts in [{}, {"en": []}, {"en": ["a"], "de": []}]
    ),
    ("a string for a list", lambda _: Corpus.from_texts({"en": "abc"}), ("one string", "a list of sentences")),
    ("a number for a text", lambda _: Corpus.from_texts({"en": [5]}), ("5", "remove it or fill it in")),
    ("None for a text", lambda _: Corpus.from_texts({"en": ["a", None]}), ("None",)),
    ("half a surrogate", lambda _: Corpus.from_texts({"en": ["a\ud800"]}), ("surrogate", "write it again")),
    ("unequal rows", lambda _: Corpus.from_texts({"en": ["a"], "de": ["b", "c"]}, aligned=True), ("unequal length",)),
    ("labels too few", lambda _: Corpus(("a", "b"), ("en",)), ("2 texts, 1 labels",)),
    ("rows too few", lambda _: Corpus(("a", "b"), ("en", "de"), ("1",)), ("1 row ids",)),
    ("a row twice", lambda _: Corpus(("a", "b"), ("en", "en"), ("1", "1")), ("'1'", "twice")),
    ("only nothing", lambda m: m.corpus.only([]), ("no language was asked for",)),
    *((f"head {n}", lambda m, n=n: m.corpus.head(n), (f"is {n}", "at least 1")) for n in (0, -1)),
    *((f"sample {n}", lambda m, n=n: m.corpus.sample(n, seed=0), (f"is {n}", "at least 1")) for n in (0, -3)),
    (
        "parallel without rows",
        lambda _: Corpus.from_texts({"en": ["a"], "de": ["b"]}).parallel(),
        ("no row", "aligned"),
    ),
    ("shared splits", lambda m: m.corpus.require_disjoint(m.corpus), ("share 24 sentence", "one split only")),
    *(
        (f"split {split!r}", lambda _, s=split: load_sentences(split=s), (str(split) if split else "choose one",))
        for split in (None, "train", "DEV")
    ),
    *(
        (f"limit {n}", lambda _, n=n: load_sentences(split="dev", limit=n), (f"limit is {n}", "at least 1"))
        for n in (0, -5)
    ),
    (
        "one language",
        lambda _: load_sentences(split="dev", languages=["en"]),
        ("expected at least 2", "min_languages=1"),
    ),
    *(
        (f"source {kind}", lambda _, s=source: load_sentences(s), words)
        for kind, source, words in [
            ("a number", 5, ("int", "5")),
            ("none", None, ("NoneType",)),
            ("a list", ["a", "b"], ("list",)),
            ("a mapping of lists", {"en": ["a"]}, ("list", "Corpus.from_texts")),
            ("a missing file", "nowhere.jsonl", ("nowhere.jsonl", "does not exist")),
            ("a name", "nowhere", ("'nowhere'", "does not exist")),
            ("a wrong suffix", "words.md", ("words.md", "does not exist")),
            ("a mapping of nothing", {"en": "nowhere.txt", "de": "nowhere.txt"}, ("nowhere.txt",)),
        ]
    ),
]

# --- files of sentences ---------------------------------------------------------------------------------------------

FILES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "empty.jsonl": ("", ("no rows",)),
    "blank.jsonl": ("\n\n", ("no rows",)),
    "list.jsonl": ("[1, 2]\n", ("line", "expected an object")),
    "number.jsonl": ("5\n", ("expected an object",)),
    "broken.jsonl": ('{"text": "a", "language"\n', ("is not JSON",)),
    "torn.jsonl": ('{"text": "a", "language": "en"}\n{"text": "b", "lang', ("line", "is not JSON")),
    "latin.jsonl": ('{"text": "ä", "language": "de"}'.encode("latin-1"), ("not UTF-8", "0xe4", "iconv")),
    "binary.jsonl": (bytes(range(128, 256)), ("not UTF-8",)),
    "nolanguage.jsonl": ('{"text": "a"}\n', ("language",)),
    "nocolumn.jsonl": ('{"words": "a", "tongue": "en"}\n', ("text_column", "language_column")),
    "holes.jsonl": ('{"text": "a", "language": "en"}\n{"text": null, "language": "de"}\n', ("row 1",)),
    "nested.jsonl": ('{"text": ["a"], "language": "en"}\n', ("expected a sentence",)),
    "emptytext.jsonl": ('{"text": "", "language": "en"}\n', ("is empty",)),
    "code.jsonl": ('{"text": "a", "language": "klingon"}\n', ("klingon",)),
    "surrogate.jsonl": ('{"text": "\\ud800", "language": "en"}\n', ("surrogate",)),
    "widehole.jsonl": ('{"en": "a", "de": "b"}\n{"en": "c"}\n', ("row 1", "de")),
    "wideempty.jsonl": ('{"en": "a", "de": ""}\n', ("empty in de",)),
    "twice.jsonl": (
        '{"row": 1, "text": "a", "language": "en"}\n{"row": 1, "text": "b", "language": "en"}\n',
        ("twice",),
    ),
    "one.jsonl": ('{"text": "a", "language": "en"}\n', ("expected at least 2",)),
    "empty.csv": ("", ("empty.csv",)),
    "header.csv": ("text,language\n", ("no rows",)),
    "twice.csv": ("en,en\na,b\n", ("'en' twice",)),
    "long.csv": ("en,de\na,b,c\n", ("3 cells for 2 columns", "quote or mend")),
    "latin.csv": ("en,de\na,ä\n".encode("latin-1"), ("not UTF-8",)),
    "unknown.csv": ("eins,zwei\na,b\n", ("text_column",)),
    "hole.csv": ("en,de\na,\n", ("empty in de",)),
    "code.csv": ("text,language\na,en\nb,klingon\n", ("klingon",)),
    "nul.csv": (b"en,de\na\x00,\n", ("nul.csv",)),
    "empty.tsv": ("", ("empty.tsv",)),
    "long.tsv": ("en\tde\na\tb\tc\n", ("3 cells",)),
    "commas.tsv": ("en,de\na,b\n", ("text_column",)),
    "twice.tsv": ("de\tde\na\tb\n", ("twice",)),
    "hole.tsv": ("en\tde\n\tb\n", ("empty in en",)),
    "empty.parquet": (b"", ("cannot be read as parquet",)),
    "text.parquet": ("en,de\n", ("cannot be read as parquet",)),
    "magic.parquet": (b"PAR1" + bytes(40) + b"PAR1", ("cannot be read as parquet",)),
    "words.docx": ("a", ("cannot tell what this is",)),
    "words.json": ("{}", ("cannot tell what this is",)),
    "words.txt": ("a", ("words.txt",)),
}


def read(m: Any, name: str, content: str | bytes) -> object:
    path = m.folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    m.ignored.add(path)
    return load_sentences(path)


def folder_of(m: Any, **files: str) -> Path:
    place = m.folder / "given"
    place.mkdir()
    m.ignored.add(place)
    for name, content in files.items():
        path = place / name.replace("__", ".")
        path.write_text(content)
        m.ignored.add(path)
    return place


READERS: list[Row] = [
    *((f"file {name}", lambda m, n=name, c=content: read(m, n, c), words) for name, (content, words) in FILES.items()),
    ("folder without files", lambda m: load_sentences(folder_of(m)), ("no file named like a language",)),
    (
        "folder of other files",
        lambda m: load_sentences(folder_of(m, notes__txt="a")),
        ("no file named like a language",),
    ),
    ("folder with an empty file", lambda m: load_sentences(folder_of(m, en__txt="", de__txt="a")), ("en",)),
    (
        "folder with an empty line",
        lambda m: load_sentences(folder_of(m, en__txt="a\n\nb\n", de__txt="a")),
        ("line 2 is empty",),
    ),
    (
        "folder of unequal files",
        lambda m: load_sentences(folder_of(m, en__txt="a\nb\n", de__txt="a"), aligned=True),
        ("unequal",),
    ),
    ("folder of one language", lambda m: load_sentences(folder_of(m, en__txt="a")), ("expected at least 2",)),
    (
        "folder with a split",
        lambda m: load_sentences(folder_of(m, en__txt="a", de__txt="b"), split="dev"),
        ("no splits",),
    ),
    ("paraphrases nowhere", lambda _: load_paraphrases("nowhere"), ("nowhere",)),
    ("paraphrases of an empty folder", lambda m: load_paraphrases(folder_of(m)), ("holds no paraphrases",)),
    ("paraphrases of lists", lambda m: load_paraphrases(folder_of(m, a__jsonl="[1]\n") / "a.jsonl"), ("line",)),
    (
        "paraphrases without one",
        lambda m: load_paraphrases(folder_of(m, a__jsonl='{"language": "en"}\n') / "a.jsonl"),
        ("paraphrase",),
    ),
    ("pairs nowhere", lambda _: load_pairs("nowhere"), ("is no folder",)),
    ("pairs of an empty folder", lambda m: load_pairs(folder_of(m)), ("holds neither",)),
    ("half of tatoeba", lambda m: load_pairs(folder_of(m, **{"tatoeba__deu-eng__deu": "a\n"})), ("other half",)),
    ("pairs that are lists", lambda m: load_pairs(folder_of(m, **{"de-en__jsonl": "[]\n"})), ("de-en.jsonl",)),
    ("pairs without a side", lambda m: load_pairs(folder_of(m, **{"de-en__jsonl": '{"de": "a"}\n'})), ("'en'",)),
]

# --- models ---------------------------------------------------------------------------------------------------------

MODELS: list[Row] = [
    *(
        (f"model {name!r}", lambda _, n=name: load_model(n), (name or "name",))
        for name in ["nowhere/at/all", "no-such-model", "poliglot-mini", "./missing"]
    ),
    ("model of an empty folder", lambda m: load_model(folder_of(m)), ("no config.json", "save_pretrained")),
    ("model of a torn config", lambda m: load_model(folder_of(m, config__json="{")), ("config",)),
    (
        "model of an unknown kind",
        lambda m: load_model(folder_of(m, config__json='{"model_type": "quantum"}')),
        ("quantum",),
    ),
    *(
        (f"device {d!r}", lambda _, d=d: load_model("polyglot-mini", device=d), (d,))
        for d in ["gpu", "cuda:99", "tpu?"]
    ),
    *(
        (f"dtype {d!r}", lambda _, d=d: load_model("polyglot-mini", dtype=d), (str(d),))
        for d in ["float8", "int8", "double", "int32"]
    ),
    *(
        (
            f"n_devices {n!r}",
            lambda _, n=n: load_model("polyglot-mini", n_devices=n),
            (f"n_devices is {n}", "1 or more"),
        )
        for n in (0, -1)
    ),
    ("more GPUs than there are", lambda _: load_model("polyglot-mini", n_devices=99), ("is 99", "lower it")),
    (
        "n_devices on the CPU",
        lambda _: load_model("polyglot-mini", n_devices=2, device="cpu"),
        ("n_devices=2", "'cpu'"),
    ),
    *(
        (f"device_map {d!r}", lambda _, d=d: load_model("polyglot-mini", device_map=d), words)
        for d, words in [
            ("autoo", ("'autoo'", "did you mean 'auto'")),
            ({}, ("names no module", '"auto"')),
            ({"": "disk"}, ("disk", "use GPUs only")),
            ({"model": "cpu", "lm_head": 0}, ("0, cpu", "use GPUs only")),
            ({"nothing": "cpu"}, ("nothing", "does not fit the model")),
            ({"": "gpu"}, ("gpu", "does not fit the model")),
        ]
    ),
    (
        "device_map and device",
        lambda _: load_model("polyglot-mini", device="cpu", device_map="auto"),
        ("leave out device",),
    ),
    (
        "model option unknown",
        lambda m: find_experts(m.path, m.corpus, model_options={"dtpye": "float16"}),
        ("'dtpye'", "did you mean 'dtype'"),
    ),
    (
        "model options of a loaded model",
        lambda m: store_responses(m.model, m.corpus, m.folder / "s", model_options={"dtype": "float16"}),
        ("dtype", "loaded already"),
    ),
    (
        "embeddings' model option",
        lambda m: store_embeddings(m.path, m.corpus, m.folder / "s", model_options={"dtype": "int8"}),
        ("'int8'", "float16"),
    ),
    (
        "study on more GPUs than there are",
        lambda m: run_study(load_config("polyglot-mini"), m.folder / "s", n_devices=99),
        ("is 99", "lower it"),
    ),
    *(
        (f"collect {kind}", lambda m, s=s: collect_responses(m.model, s), ("expected a Corpus",))
        for kind, s in [("a list", ["a"]), ("a string", "a"), ("none", None), ("a mapping", {"en": ["a"]})]
    ),
    *(
        (f"embed {kind}", lambda m, s=s: embed(m.model, s), ("expected a Corpus",))
        for kind, s in [("a list", ["a"]), ("none", None)]
    ),
    *(
        (f"find {kind}", lambda m, s=s: find_experts(m.model, s, k=1), ("expected a Corpus",))
        for kind, s in [("a list", ["a"]), ("a string", "a")]
    ),
    *(
        (f"inspect {kind}", lambda m, s=s: inspect(m.model, m.experts, s), ("expected a Corpus",))
        for kind, s in [("a list", ["a"])]
    ),
    *(
        (f"site {site!r}", lambda m, s=site: collect_responses(m.model, m.corpus, site=s), (repr(site),))
        for site in ["mlp", "hook_post", "mlp.hook_posts", ""]
    ),
    *(
        (f"pooling {p!r}", lambda m, p=p: collect_responses(m.model, m.corpus, pooling=p), (repr(p),))
        for p in ["maximum", "MAX", "", "sum"]
    ),
    *(
        (f"layers {layers}", lambda m, x=layers: collect_responses(m.model, m.corpus, layers=x), ("layers 0 to 1",))
        for layers in ([], [2], [-1], [0, 7])
    ),
    *(
        (
            f"embed layer {layer}",
            lambda m, x=layer: embed(m.model, m.corpus, layer=x),
            (f"layer {layer}", "layers 0 to 1"),
        )
        for layer in (2, -3, 99)
    ),
    *(
        (
            f"token_budget {b}",
            lambda m, b=b: collect_responses(m.model, m.corpus, token_budget=b),
            (f"is {b}", "at least 1"),
        )
        for b in (0, -1)
    ),
    *(
        (f"padding_side {s!r}", lambda m, s=s: collect_responses(m.model, m.corpus, padding_side=s), (repr(s),))
        for s in ("middle", "")
    ),
    (
        "beyond the context",
        lambda m: collect_responses(m.model, Corpus.from_texts({"en": ["word " * 600]}), **QUIET),
        ("truncate=True",),
    ),
    *(
        (f"store dtype {d}", lambda m, d=d: store_responses(m.model, m.corpus, m.folder / "s", store=d), (str(d),))
        for d in (torch.int8, torch.float64)
    ),
    *(
        (f"part {p}", lambda m, p=p: store_responses(m.model, m.corpus, m.kept, part=p), (f"part {p[0]}/{p[1]}", "i/n"))
        for p in ((0, 2), (3, 2), (-1, 2), (1, 0))
    ),
    (
        "executor of a model",
        lambda m: store_responses(m.model, m.corpus, m.folder / "s", executor="ray"),
        ("name or path",),
    ),
    ("executor unknown", lambda m: store_responses("x", m.corpus, m.folder / "s", executor="spark"), ("'spark'",)),
    (
        "responses from an empty cache",
        lambda m: responses_from_cache(m.model, {}, m.corpus, torch.ones(len(m.corpus), 1, dtype=torch.bool)),
        ("the cache lacks", "names_filter"),
    ),
    (
        "responses from a cache of fewer sentences",
        lambda m: responses_from_cache(m.model, {}, m.corpus, torch.ones(1, 1, dtype=torch.bool)),
        ("`pooled` has 1 rows",),
    ),
    (
        "responses from a cache of nothing but padding",
        lambda m: responses_from_cache(m.model, {}, m.corpus, torch.zeros(len(m.corpus), 1, dtype=torch.bool)),
        ("at least one True",),
    ),
    (
        "embeddings' executor of a model",
        lambda m: store_embeddings(m.model, m.corpus, m.folder / "s", executor="ray"),
        ("name or path",),
    ),
    (
        "embeddings' executor unknown",
        lambda m: store_embeddings("x", m.corpus, m.folder / "s", executor="spark"),
        ("'spark'",),
    ),
    (
        "executor's option unknown",
        lambda m: store_responses(
            m.path, m.corpus, m.folder / "s", executor="ray", executor_options={"wrokers": 2}, progress=False
        ),
        ("'wrokers'", "did you mean 'workers'"),
    ),
    ("study's executor unknown", lambda m: run_study(load_config("polyglot-mini"), executor="spark"), ("'spark'",)),
    ("store embeddings of a list", lambda m: store_embeddings(m.model, ["a"], m.folder / "s"), ("expected a Corpus",)),
    ("store embeddings of layer 9", lambda m: store_embeddings(m.model, m.corpus, m.folder / "s", layers=[9]), ("9",)),
    ("store embeddings of no layer", lambda m: store_embeddings(m.model, m.corpus, m.folder / "s", layers=[]), ("no",)),
    ("executor without a folder", lambda m: find_experts("x", m.corpus, executor="ray"), ("give folder=",)),
    ("merge nothing", lambda _: merge_stores([]), ("no folder",)),
    ("merge nowhere", lambda _: merge_stores(["nowhere"]), ("nowhere", "is the path right")),
    ("store of an empty folder", lambda m: ResponseStore(folder_of(m)), ("job.json",)),
    *(
        (f"store of job {job}", lambda m, j=job: ResponseStore(folder_of(m, job__json=j)), ("job.json",))
        for job in ("", "{", "[]", "{}", "5", '{"layers": "x"}')
    ),
]

# --- experts and steering -------------------------------------------------------------------------------------------

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
            [("metric", "auc"), ("metric", "AP"), ("metric", ""), ("how", "best"), ("how", "Top")],
        )
    ),
    ("random with a threshold", lambda m: select_experts(m.expertise, threshold=0.5, how="random"), ("takes k",)),
    (
        "a threshold nobody reaches",
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
        ("one language only", "add some"),
    ),
    *((f"experts[{c!r}]", lambda m, c=c: m.experts[c], (c,)) for c in ["fr", "klingon", "xx"]),
    ("experts only nothing", lambda m: m.experts.only([]), ("name at least one",)),
    *((f"experts head {n}", lambda m, n=n: m.experts.head(n), (f"head({n})", "give 1 to 5")) for n in (0, -1, 6)),
    ("control seed -1", lambda m: m.experts.random_control(seed=-1), ("seed is -1",)),
    *((f"expertise column {c!r}", lambda m, c=c: m.expertise.column(c), (c,)) for c in ["fr", "klingon"]),
    ("experts from nowhere", lambda _: Experts.from_pretrained("nowhere"), ("nowhere", "is the path right")),
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
            ],
            [("a string", "de"), ("none", None), ("a list", [1])],
        )
    ),
    *(
        (f"{name} several languages", lambda m, f=f: f(m), ("4 languages", "steer with those of one"))
        for name, f in [
            ("hooks of", lambda m: intervention_hooks(m.experts)),
            ("steer with", lambda m: steer(m.model, m.experts).__enter__()),
        ]
    ),
    *(
        (f"{name} {option} {value!r}", lambda m, f=f, o=option, v=value: f(m, **{o: v}), (str(value),))
        for (name, f), (option, value) in product(
            [
                ("hooks", lambda m, **o: intervention_hooks(m.experts["de"], **o)),
                ("steer", lambda m, **o: steer(m.model, m.experts["de"], **o).__enter__()),
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
            ],
        )
    ),
    (
        "damp a control",
        lambda m: intervention_hooks(m.experts["de"].random_control(seed=0), operation="damp"),
        ("needs the neurons' AUROC",),
    ),
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

# --- vectors and numbers --------------------------------------------------------------------------------------------


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
    *((f"measure {m_!r}", lambda _, x=m_: scored(cloud(3, 3), x), (repr(m_),)) for m_ in ("cos", "CSLS", "")),
    *((f"holm {p}", lambda _, p=p: holm(p), ("from 0 to 1",)) for p in ([-0.1], [1.1], [NAN], [0.5, 2.0])),
    *(
        (f"level {x}", lambda _, x=x: mean_interval(np.arange(5.0), seed=0, level=x), (f"level {x}", "0.95"))
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

# --- studies --------------------------------------------------------------------------------------------------------

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
    "value": ["max", 5],
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
    "store": ["int8", 5],
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

ROWS = [*CORPORA, *READERS, *MODELS, *EXPERTS, *VECTORS, *STUDIES]

NOT_REFUSING = {"available_models"}
"""Public functions without an argument."""

COMMANDS: list[tuple[list[str], int]] = [
    *(
        ([command, *options], 2)
        for command, options in [
            ("demo", ["--k", "0"]),
            ("demo", ["--k", "many"]),
            ("demo", ["--rows", "1"]),
            ("demo", ["--rows", "x"]),
            ("demo", ["--seeds", "0"]),
            ("demo", ["--k"]),
            ("demo", ["--colour", "red"]),
            ("demo", ["extra"]),
            ("find", ["--k", "0"]),
            ("find", ["--k", "1.5"]),
            ("find", ["--limit", "0"]),
            ("find", ["--shard", "half"]),
            ("find", ["--shard", "1"]),
            ("find", ["--shard", "1/2/3"]),
            ("find", ["--store", "int8"]),
            ("find", ["--store", ""]),
            ("find", ["--workers", "0"]),
            ("find", ["--gpus", "-1"]),
            ("find", ["--gpus", "x"]),
            ("find", ["--n-devices", "0"]),
            ("demo", ["--n-devices", "two"]),
            ("study", ["--n-devices", "-1"]),
            ("find", ["--executor", "spark"]),
            ("study", ["--executor", "dask"]),
            ("study", ["--workers", "0"]),
            ("find", ["a", "b"]),
            ("merge", []),
            ("merge", ["--k", "0", "x"]),
            ("study", ["a", "b"]),
            ("study", ["--k", "5"]),
            ("inspect", []),
            ("inspect", ["x", "--k", "0"]),
            ("inspect", ["x", "--port", "0"]),
            ("inspect", ["x", "--port", "70000"]),
            ("inspect", ["x", "--port", "http"]),
            ("models", ["extra"]),
            ("demoo", []),
            ("", []),
        ]
    ),
    *(
        ([command, *options], 1)
        for command, options in [
            ("demo", ["--model", "no/such/model/there"]),
            ("demo", ["--model", "TINY", "--rows", "4", "--target", "klingon"]),
            ("demo", ["--model", "TINY", "--rows", "4", "--target", "sv"]),
            ("demo", ["--model", "TINY", "--rows", "4", "--k", "1000"]),
            ("demo", ["--device", "gpu"]),
            ("find", ["no/such/model/there"]),
            ("find", ["TINY", "--sentences", "nowhere.csv"]),
            ("find", ["TINY", "--split", "train"]),
            ("find", ["TINY", "--languages", "en"]),
            ("find", ["TINY", "--languages", "en,klingon"]),
            ("find", ["TINY", "--limit", "4", "--k", "1000"]),
            ("find", ["TINY", "--limit", "4", "--shard", "3/2"]),
            ("find", ["TINY", "--limit", "4", "--shard", "0/2"]),
            ("find", ["TINY", "--device", "gpu"]),
            ("find", ["TINY", "--dtype", "int8"]),
            ("find", ["TINY", "--n-devices", "99"]),
            ("find", ["TINY", "--shard", "auto"]),
            ("demo", ["--model", "TINY", "--n-devices", "99"]),
            ("merge", ["nowhere"]),
            ("merge", ["nowhere", "else"]),
            ("study", ["nowhere"]),
            ("study", ["polyglot-mini", "--model", "no/such/model/there"]),
            ("inspect", ["nowhere"]),
            ("inspect", ["nowhere", "--save"]),
        ]
    ),
]


@pytest.mark.parametrize(
    ("what", "words"), [(what, words) for _, what, words in ROWS], ids=[name for name, _, _ in ROWS]
)
def test_a_bad_input_is_refused_by_name(what, words, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made.folder, made.ignored, made.kept = tmp_path, set(), tmp_path / "kept"
    with pytest.raises(TLExpertsError) as refused:
        what(made)
    for word in words:
        assert word in str(refused.value)
    left = {path for path in tmp_path.rglob("*") if path not in made.ignored}
    # A store that was begun before a part was refused is a job without a shard: whole, and found again.
    assert {path.name for path in left} <= {"kept", "job.json", "corpus.json"}


@pytest.mark.parametrize(("arguments", "code"), COMMANDS, ids=["$ " + " ".join(arguments) for arguments, _ in COMMANDS])
def test_a_bad_command_ends_with_a_code_and_one_line(arguments, code, checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    filled = [str(checkpoint("llama")) if argument == "TINY" else argument for argument in arguments]
    quiet = ["--quiet"] if code == 1 and arguments[0] in ("demo", "find") else []
    monkeypatch.setattr(sys, "argv", ["tl-experts", *filled, *quiet])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == code
    assert "Traceback" not in said.out + said.err
    if code == 1:
        assert said.err.count("tl-experts: ") == 1
        assert said.err.splitlines()[-1]  # a command to copy may stand on a line of its own
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left <= {"job.json", "corpus.json"}


ANYTHING = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=1),
    st.tuples(st.integers()),
    st.binary(max_size=4),
)

VECTORS_OF_TWO = {"en": torch.eye(3), "de": torch.eye(3).flip(0)}

CHOICES: dict[str, Callable[[Any, Any], object]] = {
    "metric": lambda m, v: select_experts(m.expertise, k=2, metric=v),
    "how": lambda m, v: select_experts(m.expertise, k=2, how=v),
    "pooling": lambda m, v: collect_responses(m.model, m.corpus, pooling=v, **QUIET),
    "site": lambda m, v: collect_responses(m.model, m.corpus, site=v, **QUIET),
    "operation": lambda m, v: intervention_hooks(m.experts["de"], operation=v),
    "value": lambda m, v: intervention_hooks(m.experts["de"], value=v),
    "positions": lambda m, v: intervention_hooks(m.experts["de"], positions=v),
    "measure": lambda m, v: scored(torch.eye(3), v),
    "level": lambda m, v: language_distances(VECTORS_OF_TWO, level=v),
    "medoid": lambda m, v: language_distances(VECTORS_OF_TWO, medoid=v),
    "store": lambda m, v: store_responses(m.model, m.corpus, m.kept, store=v, **QUIET),
    "store in memory": lambda m, v: find_experts(m.model, m.corpus, k=2, store=v, **QUIET),
    "dtype": lambda m, v: load_model(m.path, dtype=v),
    "executor": lambda m, v: require_executor(v, None),
}
"""Options that are one of a few words; none of them takes anything that `ANYTHING` draws, but for a word by chance."""

WORDS = {*METRICS, *POOLINGS, *SITES, *OPERATIONS, *VALUES, *POSITIONS, *MEASURES, "top", "bottom", "random", "ray"}


@pytest.mark.parametrize("option", CHOICES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=ANYTHING)
def test_what_is_none_of_the_words_is_refused_by_name(option, value, made, tmp_path):
    assume(not (isinstance(value, str) and value in WORDS))
    made.kept = tmp_path / "kept"
    with pytest.raises(TLExpertsError) as refused:
        CHOICES[option](made, value)
    assert repr(value) in str(refused.value) or str(value) in str(refused.value)
    assert not made.kept.exists()


def test_every_public_function_has_a_row():
    functions = {
        name
        for name in tl_experts.__all__
        if callable(getattr(tl_experts, name)) and not isinstance(getattr(tl_experts, name), type)
    }
    # Once it is imported; every further place is a row.
    source = Path(__file__).read_text("utf-8")
    assert {name for name in functions if len(re.findall(rf"\b{name}\b", source)) < 2} <= NOT_REFUSING


def test_there_are_at_least_300_and_no_two_are_one():
    names = [name for name, _, _ in ROWS] + ["$ " + " ".join(arguments) for arguments, _ in COMMANDS]
    assert len(names) == len(set(names))
    assert len(names) >= 300
