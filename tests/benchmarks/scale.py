"""The store and the scorer at scale, on made-up responses: `python -m tests.benchmarks.scale`.

Prints time and memory. Writes 7.4 GB by default and removes them. What a larger model takes is seen on a slice of its
layers, as every neuron is scored by itself: Aya-8B over 22 languages, 40 GB, on an eighth of them by
`--sentences 44000 --languages 22 --width 14336 --layers 4 --of-layers 32`.
"""

import argparse
import json
import shutil
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

LANGUAGES = ("en", "de", "fr", "es", "ja", "zh", "ru", "ar", "hi", "pt", "it")
LANGUAGES += ("nl", "pl", "tr", "vi", "ko", "th", "id", "cs", "uk", "fa", "el")
ROOM = 1e9
"""Bytes of disk left free beside the responses."""

CHECKED = 20
"""Neurons that scikit-learn scores as well."""


def stored_bytes(sentences: int, layers: int, width: int, dtype: DtypeName) -> int:
    """Size of the responses on disk."""
    return sentences * layers * width * torch.finfo(DTYPES[dtype]).bits // 8


def require_disk(folder: Path, needed: int) -> None:
    """End with a message, before anything is written, where the responses do not fit."""
    free = shutil.disk_usage(folder).free
    if needed + ROOM > free:
        raise SystemExit(
            f"the responses take {needed / 1e9:.1f} GB, {folder} has {free / 1e9:.1f} GB free; give another "
            "--folder, or fewer --layers with --of-layers for the whole model's"
        )


def build(
    folder: Path, sentences: int, layers: int, width: int, dtype: DtypeName, languages: int = 10
) -> ResponseStore:
    """A store of normally distributed responses; some neurons respond more to one language."""
    codes = LANGUAGES[:languages]
    corpus = Corpus.from_texts(
        {code: [f"{code} {n}" for n in range(sentences // languages)] for code in codes}, name="made up"
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
    language = torch.tensor([codes.index(label) for label in corpus.labels])
    lean = torch.arange(neurons.total) % (5 * languages)
    for number in store.missing():
        rows = range(number * size, min((number + 1) * size, len(corpus)))
        values = torch.randn(len(rows), neurons.total, generator=torch.Generator().manual_seed(number))
        values += 2.0 * (language[list(rows)][:, None] == lean)
        store.save(number, values.to(DTYPES[dtype]), rows)
    return store


def measure(folder: Path, store: ResponseStore) -> dict[str, float]:
    """Seconds, gigabytes and MiB of a store that is written."""
    found = {"gigabytes": sum(path.stat().st_size for path in folder.rglob("*")) / 1e9}
    Path("/proc/self/clear_refs").write_text("5")
    found["resident_mib"] = resident("VmRSS")
    started = time.perf_counter()
    stored = store.responses()
    found["checked_s"] = time.perf_counter() - started
    started = time.perf_counter()
    expertise = score_responses(stored)
    found["scored_s"] = time.perf_counter() - started
    found["responses_per_s"] = len(stored.corpus) * len(expertise.auroc) / found["scored_s"]
    found["peak_mib"] = resident("VmHWM")
    found["largest_error"] = _error(stored.columns(0, CHECKED), stored.corpus, expertise.auroc[:CHECKED])
    return found


def main() -> int:
    """Build, check, score, and print a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, default=100_000, help="of all languages together")
    parser.add_argument("--languages", type=int, default=10, choices=range(2, len(LANGUAGES) + 1), metavar="2-22")
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--of-layers", type=int, help="the layers are a slice of so many: also print the whole's cost")
    parser.add_argument("--width", type=int, default=1_536)
    parser.add_argument("--dtype", choices=list(DTYPES), default="float16")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure; default: the temporary folder")
    options = parser.parse_args()
    sizes = (options.sentences, options.layers, options.width, options.dtype)
    if options.of_layers is not None and options.of_layers < options.layers:
        parser.error(f"--of-layers {options.of_layers}: expected at least --layers, {options.layers}")
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        require_disk(Path(scratch), stored_bytes(*sizes))
        started = time.perf_counter()
        store = build(Path(scratch), *sizes, languages=options.languages)
        found = {"written_s": time.perf_counter() - started} | measure(Path(scratch), store)
    if options.of_layers is not None:
        whole = options.of_layers / options.layers
        found |= {f"whole_{name}": whole * found[name] for name in ("gigabytes", "checked_s", "scored_s")}
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
