"""The store and the scorer at scale, on made-up responses: `python -m tests.benchmarks.scale`.

Prints time and memory. Writes 7.4 GB by default and removes them.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from tests.benchmarks.timing import resident
from tl_experts import Batching, Corpus, score_responses
from tl_experts.jobs.job import Job
from tl_experts.models.dtypes import DTYPES, DtypeName
from tl_experts.responses.collect import part_size
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.store import ResponseStore

LANGUAGES = ("en", "de", "fr", "es", "ja", "zh", "ru", "ar", "hi", "pt")
CHECKED = 20
"""Neurons that scikit-learn scores as well."""


def build(folder: Path, sentences: int, layers: int, width: int, dtype: DtypeName) -> ResponseStore:
    """A store of normally distributed responses; some neurons respond more to one language."""
    corpus = Corpus.from_texts(
        {code: [f"{code} {n}" for n in range(sentences // len(LANGUAGES))] for code in LANGUAGES}, name="made up"
    )
    neurons = NeuronTable(tuple(range(layers)), (width,) * layers)
    size = part_size(neurons)
    job = {
        "model": {"model": "made up"},
        "corpus": corpus.fingerprint,
        "site": "mlp.hook_post",
        "pooling": "max",
        "layers": neurons.layers,
        "widths": neurons.widths,
        "batching": asdict(Batching()),
        "dtype": dtype,
        "sentences": size,
        "shards": -(-len(corpus) // size),
    }
    store = ResponseStore.begin(folder, Job(job), corpus)
    language = torch.tensor([LANGUAGES.index(label) for label in corpus.labels])
    lean = torch.arange(neurons.total) % (5 * len(LANGUAGES))
    for number in store.missing():
        rows = range(number * size, min((number + 1) * size, len(corpus)))
        values = torch.randn(len(rows), neurons.total, generator=torch.Generator().manual_seed(number))
        values += 2.0 * (language[list(rows)][:, None] == lean)
        store.save(number, values.to(DTYPES[dtype]), rows)
    return store


def main() -> int:
    """Build, check, score, and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=100_000)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--width", type=int, default=1_536)
    parser.add_argument("--dtype", choices=list(DTYPES), default="float16")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure; default: the temporary folder")
    arguments = parser.parse_args()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        started = time.perf_counter()
        store = build(Path(scratch), arguments.sentences, arguments.layers, arguments.width, arguments.dtype)
        found["written_s"] = time.perf_counter() - started
        found["gigabytes"] = sum(path.stat().st_size for path in Path(scratch).rglob("*")) / 1e9
        Path("/proc/self/clear_refs").write_text("5")
        found["resident_mib"] = resident("VmRSS")
        started = time.perf_counter()
        stored = store.responses()
        found["checked_s"] = time.perf_counter() - started
        started = time.perf_counter()
        expertise = score_responses(stored)
        found["scored_s"] = time.perf_counter() - started
        found["peak_mib"] = resident("VmHWM")
        found["largest_error"] = _error(stored.columns(0, CHECKED), stored.corpus, expertise.auroc[:CHECKED])
    sys.stdout.write(json.dumps({name: round(value, 9) for name, value in found.items()}) + "\n")
    return 0


def _error(values: np.ndarray, corpus: Corpus, auroc: np.ndarray) -> float:
    """Largest difference from scikit-learn's AUROC."""
    from sklearn.metrics import roc_auc_score

    labels = np.array(corpus.labels)
    return max(
        abs(float(auroc[neuron, index]) - roc_auc_score(labels == code, values[:, neuron]))
        for neuron in range(values.shape[1])
        for index, code in enumerate(corpus.languages)
    )


if __name__ == "__main__":
    sys.exit(main())
