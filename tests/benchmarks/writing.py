"""What steered models write, by scoring and intervention: `python -m tests.benchmarks.writing --help`.

For every language, English prompts are continued under each setting of a small grid. The table has the best setting of
each scoring and intervention. Each setting is kept in the output folder, so that a killed run resumes.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path

import torch

from tests.benchmarks.kept import kept_measures
from tl_experts import (
    Experts,
    TokenStatistics,
    collect_both,
    load_model,
    load_sentences,
    score_responses,
    select_experts,
    steer,
)
from tl_experts.models import Model
from tl_experts.steering import (
    Decoding,
    Steering,
    TextMeasures,
    continue_prompts,
    language_vector,
    load_prompts,
    measure_texts,
)

LANGUAGES = ("es", "fr", "de", "ja", "ru", "it", "pt", "zh")
SCORINGS = ("auroc", "token_mean_difference", "lape")
HOLDS = (("set", "mean"), ("add", "mean"), ("add", "diffmean"))
COUNTS = (10, 50)
STRENGTHS = (0.5, 1.0)
ALL = "all neurons"
"""No scoring: the difference of the token means of target and English, added to every neuron."""

DECODING = Decoding(max_new_tokens=32, temperature=0.7)
COLUMNS = ("scoring", "held", "best k", "strength", "texts in it", "perplexity", "distinct", "compression", "score")


@dataclass(frozen=True)
class Setting:
    """One point of the grid."""

    scoring: str
    operation: str
    value: str
    count: int
    strength: float

    @property
    def name(self) -> str:
        """A file name."""
        return re.sub(r"\W+", "-", "-".join(map(str, asdict(self).values())))


def grid() -> list[Setting]:
    """All settings, those of one scoring and intervention in a row."""
    everything = [Setting(ALL, "add", "diffmean", 0, strength) for strength in STRENGTHS]
    return everything + [
        Setting(scoring, *hold, count, strength)
        for scoring, hold, count, strength in product(SCORINGS, HOLDS, COUNTS, STRENGTHS)
    ]


class Bench:
    """A model, its experts by every scoring, and what it writes; each kept in a folder."""

    def __init__(self, name: str, rows: int, prompts: int, folder: Path) -> None:
        self._name, self._rows, self._folder = name, rows, folder
        self._prompts = prompts

    @cached_property
    def model(self) -> Model:
        """The model, loaded when it is needed."""
        return load_model(self._name)

    def find(self) -> None:
        """Find the experts and keep them, unless an earlier run has."""
        if (self._folder / "statistics").is_dir():
            return
        sentences = load_sentences("bundled", split="dev", limit=self._rows)
        responses, tokens = collect_both(self.model, sentences)
        expertise = score_responses(responses)
        for scoring in SCORINGS:
            found = select_experts(expertise, k=max(COUNTS), scoring=scoring, responses=responses, tokens=tokens)
            found.save_pretrained(self._folder / "experts" / scoring)
        tokens.save_pretrained(self._folder / "statistics")

    def natural(self, language: str) -> TextMeasures:
        """The model's own continuations of the same prompts in the language: what natural text measures."""
        return self._measured(language, "natural", load_prompts(language, domain="general"), nullcontext(), None)

    def measure(self, language: str, setting: Setting | None, natural: TextMeasures) -> TextMeasures:
        """The texts of a setting (None: without steering), measured."""
        name = setting.name if setting else "unsteered"
        held = self._steered(language, setting) if setting else nullcontext()
        return self._measured(language, name, load_prompts("en", domain="general"), held, natural)

    def _measured(
        self,
        language: str,
        name: str,
        prompts: list[str],
        held: AbstractContextManager[object],
        natural: TextMeasures | None,
    ) -> TextMeasures:
        path = self._folder / language / f"{name}.json"

        def write() -> TextMeasures:
            with held:
                texts = [own[0] for own in continue_prompts(self.model, chosen, decoding=DECODING, progress=False)]
            found = measure_texts(self.model, texts, language, prompts=chosen, progress=False)
            return replace(found, natural=natural)

        chosen = prompts[: self._prompts]
        return kept_measures(path, language, chosen, name, natural, write)

    def _steered(self, language: str, setting: Setting) -> AbstractContextManager[object]:
        if setting.scoring == ALL:
            vector = language_vector(self._statistics, language, source="en")
            return steer(self.model, replace(vector, strength=setting.strength))
        experts = self._experts(setting.scoring)[language].head(setting.count)
        return steer(self.model, Steering(experts, setting.operation, setting.value, setting.strength))

    @cached_property
    def _statistics(self) -> TokenStatistics:
        return TokenStatistics.from_pretrained(self._folder / "statistics")

    def _experts(self, scoring: str) -> Experts:
        return Experts.from_pretrained(self._folder / "experts" / scoring)


def rows_of(bench: Bench, language: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The cells of each row and its first text: natural, unsteered, then the best of each scoring and intervention."""
    natural = bench.natural(language)
    yield _cells(("its own texts in it", "", "", ""), replace(natural, natural=natural)), natural.texts[0]
    before = bench.measure(language, None, natural)
    yield _cells(("without steering", "", "", ""), before), before.texts[0]
    best: dict[tuple[str, str], tuple[Setting, TextMeasures]] = {}
    for number, setting in enumerate(settings := grid(), 1):
        found = bench.measure(language, setting, natural)
        key = (setting.scoring, f"{setting.operation} {setting.value}")
        if key not in best or found.score.value > best[key][1].score.value:
            best[key] = (setting, found)
        sys.stderr.write(f"{language} {number}/{len(settings)} {setting.name}: {found}\n")
    for (scoring, held), (setting, found) in best.items():
        start = (scoring, held, str(setting.count or "all"), f"{setting.strength:g}")
        yield _cells(start, found), found.texts[0]


def _cells(start: tuple[str, ...], found: TextMeasures) -> tuple[str, ...]:
    numbers = (found.perplexity.value, found.distinct.value, found.compression.value, found.score.value)
    return (*start, f"{found.share.value:.0%}", f"{numbers[0]:.3g}", *(f"{number:.2f}" for number in numbers[1:]))


def markdown(bench: Bench, language: str) -> str:
    """The table of a language."""
    head = (*COLUMNS, "first text")
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |"]
    for cells, text in rows_of(bench, language):
        shown = re.sub(r"\s+", " ", text).strip().replace("|", "\\|").replace("`", "'")[:70]
        lines.append(f"| {' | '.join(cells)} | {shown} |")
    return f"### {language}\n\n" + "\n".join(lines) + "\n"


def main() -> int:
    """Print a table for every language."""
    parser = argparse.ArgumentParser(description="What steered models write, by scoring and intervention.")
    parser.add_argument("--model", default="gemma-3-270m")
    parser.add_argument("--languages", nargs="+", default=list(LANGUAGES))
    parser.add_argument("--rows", type=int, default=60, help="sentences per language that experts are found on")
    parser.add_argument("--prompts", type=int, default=12, help="English prompts, at most 20")
    parser.add_argument("--output", type=Path, default=Path("writing"), help="folder that a killed run resumes from")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    bench = Bench(arguments.model, arguments.rows, arguments.prompts, arguments.output)
    bench.find()
    for language in arguments.languages:
        sys.stdout.write(markdown(bench, language) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
