"""The tuned settings of the package, beside what a user would try: `python -m tests.benchmarks.tuned --help`.

English prompts that no setting was chosen by are continued with several seeds. Each language and method is kept in
the output folder, so that a killed run resumes.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import langcodes
import numpy as np
import torch

from tests.benchmarks.kept import WrittenTexts
from tl_experts import TokenStatistics, collect_both, collect_statistics, load_model, load_sentences, select_experts
from tl_experts.corpus import Corpus
from tl_experts.experts import Expertise, Experts, score_responses
from tl_experts.models import Model
from tl_experts.models.catalogue import ENTRIES
from tl_experts.responses import Reading, Responses
from tl_experts.steering import (
    AffineMap,
    Decoding,
    Steering,
    TextMeasures,
    language_vector,
)
from tl_experts.steering.tuning import bundled_tuning_prompts, tuned_setting, tuned_settings, tuned_steering
from tl_experts.steering.tuning.building import Built

OWN = "prompt in the language"
TUNED = "tuned"
COLUMNS = ("method", "texts in it (95%)", "perplexity", "distinct", "compression", "score")
SHOWN = 10
"""Texts of the tuned setting that are printed: the first of each of the first prompts."""


class Bench:
    """A model, what it writes by each method, and where that is kept."""

    def __init__(self, name: str, rows: int, seeds: int, few: int, folder: Path) -> None:
        self.name, self.rows, self.seeds, self.few, self.folder = name, rows, seeds, few, folder
        self.domain = ENTRIES[name].domain

    @cached_property
    def model(self) -> Model:
        """The model, loaded when it is needed."""
        return load_model(self.name)

    @cached_property
    def sentences(self) -> Corpus:
        """What experts, shifts and vectors are found from."""
        return load_sentences("bundled", split="dev", limit=self.rows)

    @cached_property
    def collected(self) -> tuple[Responses, TokenStatistics, Expertise]:
        """Responses, statistics of tokens and scores of every neuron: one pass for all languages."""
        responses, tokens = collect_both(self.model, self.sentences)
        return responses, tokens, score_responses(responses)

    @cached_property
    def residual(self) -> TokenStatistics:
        """Statistics of the residual stream, kept."""
        path = self.folder / "residual"
        if not path.is_dir():
            reading = Reading(site="hook_resid_post")
            collect_statistics(self.model, self.sentences, reading=reading).save_pretrained(path)
        return TokenStatistics.from_pretrained(path)

    def experts(self, scoring: str) -> Experts:
        """The experts of a scoring, kept: as many as the demo takes, or as LAPE selects."""
        path = self.folder / "experts" / scoring
        if not path.is_dir():
            responses, tokens, expertise = self.collected
            paper = select_experts(expertise, k=ENTRIES[self.name].demo_k or 500)
            paper.save_pretrained(self.folder / "experts" / "auroc")
            lape = select_experts(expertise, k=None, scoring="lape", responses=responses, tokens=tokens)
            lape.save_pretrained(self.folder / "experts" / "lape")
        return Experts.from_pretrained(path)

    def steered(self, language: str) -> dict[str, Built | None]:
        """What continues the English prompts, by the name of the method."""
        tuned = tuned_steering(self.model, language, statistics=(*self.collected, self.residual), progress=False)
        middle = int(self.model.cfg.n_layers) // 2
        found: dict[str, Built | None] = {
            "without steering": None,
            TUNED: tuned,
            "the tuned setting with random neurons or directions": random_control(tuned),
            "the paper's setting": Steering(self.experts("auroc")[language]),
            f"language vector, layer {middle}": language_vector(self.residual, language, source="en", layers=[middle]),
        }
        lape = self.experts("lape")[language]
        return found | ({"LAPE, diffmean added": Steering(lape, "add", "diffmean")} if lape.total else {})

    def table(self, language: str) -> Iterator[tuple[str, TextMeasures]]:
        """Measures of every method, what the model writes by itself in the language first."""
        prompts = list(bundled_tuning_prompts(language, domain=self.domain).report)
        own = list(bundled_tuning_prompts("en", source=language, domain=self.domain).report)
        name = langcodes.Language.get(language).display_name("en")
        asked = [f"Answer in {name}: {prompt}" for prompt in prompts]
        written = WrittenTexts(self.model, self.folder / language, language, Decoding(max_new_tokens=48))
        natural = written.measured({OWN: None}, own, None, texts=self.seeds)[OWN]
        yield OWN, replace(natural, natural=natural)
        others = self.steered(language)
        tuned = {TUNED: others.pop(TUNED)}
        yield from written.measured(tuned, prompts, natural, texts=self.seeds).items()
        yield from written.measured({f'prompt "Answer in {name}: ..."': None}, asked, natural, texts=self.few).items()
        yield from written.measured(others, prompts, natural, texts=self.few).items()


def random_control(built: Built) -> Built:
    """Random neurons of the same layers at the same setting, or a random direction of the same length in each layer."""
    if isinstance(built, Steering):
        return replace(built, experts=built.experts.random_control(seed=0))
    assert isinstance(built, AffineMap)
    generator = np.random.default_rng(0)
    intercept = built.intercept.copy()
    for layer in built.neurons.layers:
        span = built.neurons.span(layer)
        drawn = generator.normal(size=span.stop - span.start)
        intercept[span] = drawn / np.linalg.norm(drawn) * np.linalg.norm(intercept[span])
    return replace(built, intercept=intercept.astype(np.float32))


def markdown(bench: Bench, language: str) -> str:
    """The table of a language, and what the tuned setting wrote."""
    lines = [f"| {' | '.join(COLUMNS)} |", f"| {' | '.join(['---'] * len(COLUMNS))} |"]
    texts: list[str] = []
    for method, found in bench.table(language):
        share = found.share
        cells = (
            method,
            f"{share.value:.0%} ({share.low:.0%} to {share.high:.0%})",
            f"{found.perplexity.value:.3g}",
            *(f"{number.value:.2f}" for number in (found.distinct, found.compression, found.score)),
        )
        lines.append(f"| {' | '.join(cells)} |")
        if method == TUNED:
            pairs = list(zip(found.prompts, found.texts, strict=True))[:: bench.seeds][:SHOWN]
            texts = [f"- {prompt} **{' '.join(text.split())}**" for prompt, text in pairs]
    shipped = tuned_setting(bench.name, language)
    setting = shipped.setting if shipped else ""
    return "\n".join([f"### {language}", "", f"Tuned: {setting}", "", *lines, "", *texts, ""])


def main() -> int:
    """Print a table for every language."""
    parser = argparse.ArgumentParser(description="The tuned settings, beside what a user would try.")
    parser.add_argument("--model", default="gemma-3-270m")
    parser.add_argument("--languages", nargs="+", help="default: all that have a tuned setting")
    parser.add_argument("--rows", type=int, default=60, help="sentences per language for experts and vectors")
    parser.add_argument("--seeds", type=int, default=8, help="texts of each prompt, tuned and natural")
    parser.add_argument("--baseline-seeds", type=int, default=8, help="texts of each prompt by the other methods")
    parser.add_argument("--output", type=Path, default=Path("tuned"), help="folder that a killed run resumes from")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    bench = Bench(arguments.model, arguments.rows, arguments.seeds, arguments.baseline_seeds, arguments.output)
    for language in arguments.languages or sorted(tuned_settings(arguments.model)):
        sys.stdout.write(markdown(bench, language) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
