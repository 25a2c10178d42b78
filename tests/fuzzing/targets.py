"""The targets: for each reader, a function that creates valid files and the call that reads them."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from tests.steering.tuning.fakes import NATURAL, measures, trial
from tests.study.aligning import fakes as aligning
from tl_experts import Batching, Corpus, Experts, ResponseStore, Steering, TokenStatistics, load_sentences
from tl_experts.corpus.pairs import load_pairs, load_paraphrases
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.masks import read_masks
from tl_experts.experts.own import listed_rows
from tl_experts.jobs.arrays import read_array, write_array
from tl_experts.jobs.artefacts import load_artefact, save_artefact
from tl_experts.jobs.files import read_json, write_json
from tl_experts.jobs.job import Job
from tl_experts.jobs.pieces import Pieces
from tl_experts.pages.inspector.runs import open_run
from tl_experts.pages.inspector.saved import expert_counts
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.sketch import BINS
from tl_experts.steering.affine import AffineMap
from tl_experts.steering.fallback import Fallback
from tl_experts.steering.matrix import SilencingMatrix
from tl_experts.steering.subspaces import SubspaceSwap
from tl_experts.steering.tuning import TuneResult
from tl_experts.study.aligning import AlignmentResult
from tl_experts.study.comparison import CompareConfig, CompareResult
from tl_experts.study.config import StudyConfig, load_config
from tl_experts.study.result import StudyResult

TEXTS = {"en": ["Bread, please.", "She laughed."], "de": ["Brot, bitte.", "Sie lachte."]}
JOB = Job({"model": {"name": "tiny"}, "k": 3})


@dataclass(frozen=True)
class Target:
    """A reader."""

    name: str
    make: Callable[[Path], Any]
    read: Callable[[Path], Any]


def _table(suffix: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        rows = [{"text": t, "language": c, "row": i} for c, texts in TEXTS.items() for i, t in enumerate(texts)]
        frame, path = pd.DataFrame(rows), folder / f"a{suffix}"
        if suffix == ".jsonl":
            path.write_text("\n".join(map(json.dumps, rows)))
        elif suffix == ".parquet":
            frame.to_parquet(path)
        else:
            frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")

    return make


def _texts(folder: Path) -> None:
    for code, texts in TEXTS.items():
        (folder / f"{code}.txt").write_text("\n".join(texts))


def _pairs(folder: Path) -> None:
    for code in ("deu", "eng"):
        (folder / f"tatoeba.deu-eng.{code}").write_text("one\ntwo\n")
    for code in ("de", "en"):
        (folder / f"de-en.test.{code}").write_text(f"{code}-1\tone\n{code}-2\ttwo\n")
    (folder / "de-en.test.gold").write_text("de-1\ten-1\n")
    (folder / "de-en.jsonl").write_text('{"de": "eins", "en": "one"}')


def _pawsx(folder: Path) -> None:
    (folder / "en").mkdir()
    (folder / "en" / "test_2k.tsv").write_text("id\tsentence1\tsentence2\tlabel\n1\ta b\tb a\t1\n2\tc\td\t0\n")


def _listed(folder: Path) -> None:
    (folder / "a.jsonl").write_text('{"language": "en", "sentence": "a", "paraphrase": "b", "negative": "c"}')


def experts() -> Experts:
    """Three experts of two languages."""
    return Experts(
        ("en", "de"),
        *(np.array(column, dtype=np.int64) for column in ([0, 0, 1], [0, 1, 1], [2, 3, 0])),
        {name: np.ones(3, dtype=np.float32) for name in STATISTICS},
        NeuronTable((0, 1), (4, 4)),
        *("mlp.hook_post", "max", "auroc", "top", "0" * 16),
        {"name": "tiny"},
    )


def _masks(folder: Path) -> None:
    layers = [[torch.tensor([0, 3]), torch.tensor([2])], [torch.tensor([1]), torch.tensor([], dtype=torch.int64)]]
    torch.save(layers, folder / "m.pth")


def _listed_neurons(folder: Path) -> None:
    (folder / "a.json").write_text('{"es": [[0, 2, 1.5], [1, 3]], "de": [[1, 0, -1.0]], "ru": []}')


def steering() -> Steering:
    """Two experts of one language, with values of their own."""
    return Steering(experts()["en"], operation="add", value=np.array([1.0, 2.0]), strength=0.5)


def affine_map() -> AffineMap:
    """A map of two layers of four neurons."""
    columns = [np.ones(8, dtype=np.float32) for _ in range(4)]
    return AffineMap("linear", "de", "en", NeuronTable((0, 1), (4, 4)), "mlp.hook_post", *columns, {"name": "tiny"})


def silencing_matrix() -> SilencingMatrix:
    """Two languages, three sentences, one draw."""
    numbers = {name: np.array(values, dtype=np.int64) for name, values in (("neurons", [3, 1]), ("tokens", [4, 5, 6]))}
    nats = {"before": np.ones(3), "after": np.full((2, 3), 2.0), "control": np.ones((1, 2, 3))}
    languages = {"silenced": ("en", "de"), "languages": ("en", "de"), "language_of": np.array([0, 1, 1])}
    return SilencingMatrix(**languages, **numbers, **nats, selection="top 3", corpus="0" * 16, fingerprint={"a": "b"})


def subspace_swap() -> SubspaceSwap:
    """One direction in each of two layers of four neurons."""
    basis, goal = np.full((1, 8), 0.5, dtype=np.float32), np.ones((2, 1), dtype=np.float32)
    table = NeuronTable((0, 1), (4, 4))
    return SubspaceSwap("de", ("en", "de"), table, "hook_resid_post", basis, goal, {"name": "tiny"})


def token_statistics() -> TokenStatistics:
    """Two languages and eight neurons, with counts for quantiles and the activations."""
    counts, sums = np.ones((2, 8), dtype=np.int64), np.ones((2, 8))
    table, tokens = NeuronTable((0, 1), (4, 4)), np.array([3, 4])
    sites = ("mlp.hook_post", "mlp.hook_pre")
    histogram = np.zeros((2, 8, BINS), dtype=np.int32)
    histogram[..., BINS // 2] = tokens[:, None]
    return TokenStatistics(
        *(("en", "de"), table, tokens, counts, counts.copy(), sums, sums.copy(), *sites, ("0" * 16,), {"name": "tiny"}),
        histogram=histogram,
        activations=np.zeros((8, 7), dtype=np.float32),
    )


def tuning() -> TuneResult:
    """Two settings that were tried, and the texts of the better one."""
    trials = (trial(1.0, 0.5), trial(0.5, 0.2, stopped=True))
    return TuneResult("es", trials, NATURAL, steering(), measures(0.5, natural=NATURAL))


def _store(folder: Path) -> None:
    corpus = Corpus.from_texts(TEXTS, aligned=True, name="fuzz")
    reading = {"site": "mlp.hook_post", "pooling": "max", "dtype": "float32", "batching": asdict(Batching())}
    job = {"layers": [0, 1], "widths": [4, 4], "shards": 2, "corpus": corpus.fingerprint, "model": {}, **reading}
    store = ResponseStore.begin(folder, Job(job), corpus)
    for number, rows in enumerate(([0, 1], [2, 3])):
        store.save(number, torch.ones(2, 8), rows)


def _read_store(folder: Path) -> None:
    store = ResponseStore(folder)
    store.shard(0)
    store.responses().load()


def _study(folder: Path) -> None:
    config = StudyConfig(name="fuzz", model="polyglot-mini", targets=("es",), k=2, dev_rows=2)
    manifest = {"config": config.as_dict(), "about": {}, "stages": ["one"]}
    write_json(folder / "study.json", manifest)
    _stage(folder, "one", {"gains": {"a": [1, 2], "b": ["x", "y"]}})
    experts().save_pretrained(folder / "experts")


def _comparison(folder: Path) -> None:
    config = CompareConfig(name="fuzz", model="polyglot-mini", targets=("es",), silencing_rows=0)
    write_json(folder / "comparison.json", {"config": config.as_dict(), "about": {}})
    own = {"target": ["es"], "method": ["probe, set mean"]}
    written = own | {"share": [0.5], "score": [0.4], "quality": [0.3], "dev_score": [0.4]}
    _stage(folder, "writing-es", {"writing-es": written})
    _stage(folder, "costs-es", {"costs-es": own})
    _stage(folder, "equal-es", {"divergence-es": own, "equal-es": written | {"kl": [0.1]}})
    _stage(folder, "alignment-es", {"alignment-es": own})


def _stage(folder: Path, name: str, tables: dict[str, dict[str, list[Any]]]) -> None:
    write_json(folder / "stages" / f"{name}.json", {"seconds": 1.0, "peak_mib": 1.0, "tables": list(tables)})
    (folder / "tables").mkdir(exist_ok=True)
    for table, columns in tables.items():
        pd.DataFrame(columns).to_parquet(folder / "tables" / f"{table}.parquet")


def _demo(folder: Path) -> None:
    write_json(folder / "settings.json", {"model": "polyglot-mini", "rows": 2})
    experts().save_pretrained(folder / "experts")


def _toml(folder: Path) -> None:
    text = 'name = "a"\nmodel = "polyglot-mini"\ntargets = ["es"]\nk = 3\nsweep_k = [1, 2]\ncorpus = "bundled"\n'
    (folder / "a.toml").write_text(text)


def _artefact(name: str) -> Callable[[Path], Any]:
    return lambda folder: save_artefact(folder / name, "kind", {"a": np.arange(4), "b": np.ones((2, 2))}, {"k": [1]})


TARGETS = [
    *(
        Target(kind, _table(f".{kind}"), lambda f, kind=kind: load_sentences(f / f"a.{kind}"))
        for kind in ("jsonl", "csv", "tsv", "parquet")
    ),
    Target("txt", _texts, lambda f: load_sentences({"en": f / "en.txt", "de": f / "de.txt"})),
    Target("folder", _texts, lambda f: load_sentences(f, aligned=True)),
    Target("pairs", _pairs, load_pairs),
    Target("paws-x", _pawsx, load_paraphrases),
    Target("paraphrases", _listed, lambda f: load_paraphrases(f / "a.jsonl")),
    Target("artefact", _artefact("a"), lambda f: load_artefact(f / "a", "kind")),
    Target("artefact-file", _artefact("a.safetensors"), lambda f: load_artefact(f / "a.safetensors", "kind")),
    Target("experts", lambda f: experts().save_pretrained(f / "e"), lambda f: Experts.from_pretrained(f / "e")),
    Target(
        "experts-file",
        lambda f: experts().save_pretrained(f / "e.safetensors"),
        lambda f: Experts.from_pretrained(f / "e.safetensors"),
    ),
    Target("masks", _masks, lambda f: read_masks(f / "m.pth", most=4)),
    Target("neurons", _listed_neurons, lambda f: listed_rows(read_json(f / "a.json"), NeuronTable((0, 1), (4, 4)))),
    Target("steering", lambda f: steering().save_pretrained(f / "s"), lambda f: Steering.from_pretrained(f / "s")),
    Target(
        "steering-file",
        lambda f: steering().save_pretrained(f / "s.safetensors"),
        lambda f: Steering.from_pretrained(f / "s.safetensors"),
    ),
    Target("affine-map", lambda f: affine_map().save_pretrained(f / "m"), lambda f: AffineMap.from_pretrained(f / "m")),
    Target(
        "silencing-matrix",
        lambda f: silencing_matrix().save_pretrained(f / "s"),
        lambda f: SilencingMatrix.from_pretrained(f / "s"),
    ),
    Target(
        "fallback",
        lambda f: Fallback(("en",), ("en", "de"), np.full((2, 1, 2), 0.5), (("a",), ("b",))).save_pretrained(f / "f"),
        lambda f: Fallback.from_pretrained(f / "f").to_pandas(),
    ),
    Target(
        "subspace-swap",
        lambda f: subspace_swap().save_pretrained(f / "s"),
        lambda f: SubspaceSwap.from_pretrained(f / "s"),
    ),
    Target(
        "token-statistics",
        lambda f: token_statistics().save_pretrained(f / "t"),
        lambda f: TokenStatistics.from_pretrained(f / "t"),
    ),
    Target("pieces", lambda f: Pieces(f, JOB).save(0, {"a": np.ones(3)}), lambda f: Pieces(f, JOB).load(0)),
    Target("store", _store, _read_store),
    Target(
        "npy",
        lambda f: write_array(f / "a.npy", np.ones((2, 3), dtype=np.float32)),
        lambda f: read_array(f / "a.npy", (2, 3), "float32"),
    ),
    Target("config", _toml, lambda f: load_config(f / "a.toml")),
    Target("study", _study, StudyResult.load),
    Target("comparison", _comparison, CompareResult.load),
    Target("tuning", lambda f: tuning().save(f / "t"), lambda f: str(TuneResult.load(f / "t"))),
    Target(
        "alignment",
        lambda f: aligning.result(aligning.trial(0.5)).save(f / "a"),
        lambda f: str(AlignmentResult.load(f / "a")),
    ),
    Target("run-study", _study, open_run),
    Target("run-demo", _demo, open_run),
    Target("counts", lambda f: experts().save_pretrained(f / "experts"), expert_counts),
]
