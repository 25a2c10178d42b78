"""References: the published way and a good plain version."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import torch

from tl_experts import Corpus

LENGTH = 128
"""Tokens to which the published recipe pads every sentence."""


def sklearn_scores(job: tuple[np.ndarray, np.ndarray, int]) -> list[tuple[float, float]]:
    """AUROC and AP of one neuron for every language by scikit-learn."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    values, labels, languages = job
    return [
        (roc_auc_score(labels == language, values), average_precision_score(labels == language, values))
        for language in range(languages)
    ]


def sklearn_pool(pool: ProcessPoolExecutor, values: np.ndarray, labels: np.ndarray, languages: int) -> list[Any]:
    """The same for all columns, over a pool of processes."""
    jobs = [(np.ascontiguousarray(values[:, neuron]), labels, languages) for neuron in range(values.shape[1])]
    return list(pool.map(sklearn_scores, jobs, chunksize=max(1, len(jobs) // 8)))


def padded_cache_of_everything(model: Any, texts: Sequence[str], batch: int) -> torch.Tensor:
    """The published recipe: pad to 128 tokens, `run_with_cache` with every hook, take the maximum afterwards."""
    pooled = []
    for start in range(0, len(texts), batch):
        encoded = model.tokenizer(
            list(texts[start : start + batch]),
            padding="max_length",
            truncation=True,
            max_length=LENGTH,
            padding_side="right",
            return_tensors="pt",
        )
        with torch.inference_mode():
            _, cache = model.run_with_cache(encoded["input_ids"].to(next(model.parameters()).device))
        layers = [cache[f"blocks.{layer}.mlp.hook_post"] for layer in range(model.cfg.n_layers)]
        mask = encoded["attention_mask"].bool()[..., None].to(layers[0].device)
        pooled.append(torch.cat([layer.masked_fill(~mask, -torch.inf).amax(dim=1) for layer in layers], dim=1).cpu())
    return torch.cat(pooled)


def bucketed_names_filter(model: Any, corpus: Corpus, batch: int = 32) -> np.ndarray:
    """A good plain version: sentences sorted by length, `names_filter`, stopped after the last layer, one run."""
    names = [f"blocks.{layer}.mlp.hook_post" for layer in range(model.cfg.n_layers)]
    encoded = [model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in corpus.texts]
    order = np.argsort([len(ids) for ids in encoded], kind="stable")
    values = np.empty((len(corpus), model.cfg.n_layers * model.cfg.d_mlp), dtype=np.float32)
    device = next(model.parameters()).device
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        longest = max(len(encoded[row]) for row in rows)
        tokens = torch.full((len(rows), longest + 1), model.tokenizer.pad_token_id or 0)
        tokens[:, 0] = model.tokenizer.bos_token_id if model.tokenizer.bos_token_id is not None else 0
        mask = torch.zeros(tokens.shape, dtype=torch.bool)
        for index, row in enumerate(rows):
            tokens[index, 1 : 1 + len(encoded[row])] = torch.tensor(encoded[row])
            mask[index, 1 : 1 + len(encoded[row])] = True
        with torch.inference_mode():
            _, cache = model.run_with_cache(
                tokens.to(device), names_filter=lambda name: name in names, stop_at_layer=model.cfg.n_layers
            )
        kept = mask[..., None].to(device)
        pooled = [cache[name].masked_fill(~kept, -torch.inf).amax(dim=1) for name in names]
        values[rows] = torch.cat(pooled, dim=1).float().cpu().numpy()
    return values


def bootstrap_by_hand(hits: np.ndarray, resamples: int) -> np.ndarray:
    """Percentile intervals of ``[measure sentence]``, one measure and one resample at a time."""
    rng = np.random.default_rng(0)
    intervals = []
    for row in hits:
        means = [row[rng.integers(len(row), size=len(row))].mean() for _ in range(resamples)]
        intervals.append(np.quantile(means, [0.025, 0.975]))
    return np.array(intervals)
