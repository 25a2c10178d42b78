"""What a method costs: how much worse the steered model predicts text in every language."""

from typing import Any

from tl_experts.analysis.statistics import mean_interval
from tl_experts.jobs.stages import Row, Tables
from tl_experts.models.losses import loss_batches, text_losses
from tl_experts.steering.interventions import steer
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.texts import setting_of

ROWS = 30
"""Most rows of the test split whose texts are read."""


def costs(bench: CompareBench, target: str, written: list[dict[str, Any]]) -> Tables:
    """The change of the cross-entropy, in nats per token and averaged over sentences, at each method's setting.

    A setting acts on the whole text, also one that ends after the first tokens while it writes.

    Args:
        bench: the comparison.
        target: whose settings are read.
        written: the rows of ``writing`` of the target.

    Returns:
        ``costs``: a row per method and language of the text.
    """
    corpus = bench.test.head(ROWS)
    batches = loss_batches(bench.model, corpus.texts)
    before = text_losses(bench.model, corpus.texts, batches, progress=False)
    columns = {
        language: [row for row, label in enumerate(corpus.labels) if label == language] for language in corpus.languages
    }
    rows: list[Row] = []
    for method in written:
        setting = setting_of(method)
        if setting is None:
            continue
        with steer(bench.model, bench.reading(target, setting)):
            after = text_losses(bench.model, corpus.texts, batches, progress=False)
        change = (after.nats - before.nats) / before.tokens
        for language, own in columns.items():
            found = mean_interval(change[own], seed=bench.config.seed, resamples=bench.config.resamples)
            row = {"target": target, "method": method["method"], "language": language}
            rows.append(row | {"change": found.value, "low": found.low, "high": found.high})
    return {f"costs-{target}": rows}
