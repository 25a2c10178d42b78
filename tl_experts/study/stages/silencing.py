"""What each language's text loses when the neurons of each language are silenced, for several scorings.

Source: Tang et al. 2024, figure 3. Optional: the stage runs if the configuration names scorings.
"""

from functools import cached_property
from typing import Any

from tl_experts.experts.evidence import needs_quantiles, needs_tokens
from tl_experts.experts.experts import Experts
from tl_experts.experts.find import select_experts
from tl_experts.experts.scorings import scoring_of
from tl_experts.jobs.pieces import Arrays
from tl_experts.models.batches import Batch, Batching
from tl_experts.models.losses import TextLosses, loss_batches, loss_batching, text_losses
from tl_experts.responses.reading import Reading
from tl_experts.responses.statistics_pass import collect_statistics
from tl_experts.responses.token_statistics import ARRAYS, HISTOGRAMS, TokenStatistics
from tl_experts.responses.token_sums import gate_site
from tl_experts.steering.interventions import describe_intervention
from tl_experts.steering.matrix import SilencingMatrix
from tl_experts.steering.silencing import measured_matrix, require_silenced, silencing
from tl_experts.study.bench import Bench, Tables
from tl_experts.study.silenced import silencing_tables


def silencing_matrices(bench: Bench) -> Tables:
    """The silencing matrix of every scoring of `silencing`, on the test split.

    Rows are the languages of both splits; columns are the study's languages. Scorings with a selection rule of their
    own (LAPE) select by it, the others as many experts per language as the smallest k of the targets.

    Returns:
        ``silencing``: one row per scoring, silenced language and language of the text; ``silencing_summary``: one row
        per scoring, with the diagonality of its matrix and of the random neurons'.
    """
    meter = _Meter(bench)
    return silencing_tables({scoring: meter.matrix(meter.experts(scoring)) for scoring in bench.config.silencing})


class _Meter:
    """Experts of the scorings, and losses of the test split, each kept on disk."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._languages = [language for language in bench.probe.languages if language in bench.test.languages]

    def experts(self, scoring: str) -> Experts:
        """The experts of the languages of both splits by a scoring."""
        bench, scorer = self._bench, scoring_of(scoring)
        found = select_experts(
            bench.expertise,
            k=None if hasattr(scorer, "selected") else min(bench.chosen_k.values()),
            scoring=scoring,
            responses=bench.responses,
            tokens=self._tokens if needs_tokens(scorer) else None,
        )
        return found.only(self._languages)

    @cached_property
    def _tokens(self) -> TokenStatistics:
        bench = self._bench
        reading = Reading(site=bench.config.site, batching=Batching(truncate=True))
        quantiles = any(needs_quantiles(scoring_of(name)) for name in bench.config.silencing)
        job = {"corpus": bench.probe.fingerprint, "site": reading.site, "quantiles": quantiles}

        def collect() -> Arrays:
            found = collect_statistics(
                bench.model, bench.probe, reading=reading, quantiles=quantiles, progress=bench.progress
            )
            return {name: getattr(found, name) for name in (*ARRAYS, *(HISTOGRAMS if quantiles else ()))}

        kept: dict[str, Any] = bench.once("statistics", job, collect)
        return TokenStatistics(
            languages=bench.probe.languages,
            neurons=bench.responses.neurons,
            site=reading.site,
            gate_site=gate_site(bench.model, reading.site),
            corpora=(bench.probe.fingerprint,),
            fingerprint=bench.fingerprint,
            **kept,
        )

    def matrix(self, experts: Experts) -> SilencingMatrix:
        """The silencing matrix of some experts."""
        config, test = self._bench.config, self._bench.test
        options = {
            "control_seeds": max(1, config.control_seeds),
            "seed": config.seed,
            "resamples": config.resamples,
        }
        require_silenced(experts, test, **options)
        return measured_matrix(experts, test, self._losses, **options)

    @cached_property
    def _batches(self) -> list[Batch]:
        return loss_batches(self._bench.model, self._bench.test.texts, loss_batching(self._bench.model, truncate=True))

    def _losses(self, experts: Experts | None) -> TextLosses:
        bench = self._bench
        job = {"corpus": bench.test.fingerprint, "silenced": describe_intervention(experts, "zero")}

        def measure() -> Arrays:
            with silencing(bench.model, experts):
                found = text_losses(
                    bench.model,
                    bench.test.texts,
                    self._batches,
                    description="silencing" if experts is None else f"silencing, {experts.languages[0]}",
                    progress=bench.progress,
                )
            return {"nats": found.nats, "tokens": found.tokens}

        return TextLosses(**bench.once("losses", job, measure))
