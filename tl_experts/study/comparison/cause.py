"""Which scoring finds neurons that their language needs: the silencing matrix of each, at one number of neurons."""

from functools import reduce
from operator import or_

from tl_experts.experts.experts import Experts
from tl_experts.jobs.stages import Tables
from tl_experts.models.losses import TextLosses, loss_batches, text_losses
from tl_experts.steering.silencing import measured_matrix, silencing
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.silenced import silencing_tables


def cause(bench: CompareBench) -> Tables:
    """The silencing matrix of every scoring: the neurons of each target at zero, and test text in every language.

    Every scoring silences `silencing_count` neurons of a target, or all that it ranks, where these are fewer.

    Returns:
        ``silencing`` and ``silencing_summary``, as in a study.
    """
    config = bench.config
    texts = bench.test.head(config.silencing_rows)
    batches = loss_batches(bench.model, texts.texts)

    def measure(experts: Experts | None) -> TextLosses:
        with silencing(bench.model, experts):
            return text_losses(bench.model, texts.texts, batches, progress=False)

    plain = measure(None)  # the same for every scoring
    found = {scoring: _experts(bench, scoring) for scoring in config.scorings}
    return silencing_tables(
        {
            scoring: measured_matrix(
                experts,
                texts,
                lambda silenced: plain if silenced is None else measure(silenced),
                control_seeds=config.control_seeds,
                seed=config.seed,
                resamples=config.resamples,
            )
            for scoring, experts in found.items()
            if experts is not None
        }
    )


def _experts(bench: CompareBench, scoring: str) -> Experts | None:
    """The neurons of all targets; None: the scoring ranks none of any."""
    best = (bench.builder(target).best(scoring, bench.config.silencing_count) for target in bench.config.targets)
    found = [experts for experts in best if experts is not None]
    return reduce(or_, found) if found else None
