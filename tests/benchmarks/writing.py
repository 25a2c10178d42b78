"""What steered models write, by scoring and intervention: `python -m tests.benchmarks.writing --help`.

For every language, English prompts are continued under each setting of a small grid, eight settings side by side. The
table has the best setting of each scoring and intervention. Each setting is kept in the output folder, so that a killed
run resumes.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import product
from pathlib import Path

import torch

from tests.benchmarks.kept import WrittenTexts
from tl_experts import collect_for_steering, load_model, load_sentences, score_responses
from tl_experts.models import Model
from tl_experts.steering import Decoding, TextMeasures, load_prompts
from tl_experts.steering.tuning import Setting
from tl_experts.steering.tuning.building import Builder, Statistics, builder
from tl_experts.steering.tuning.search import SIDE_BY_SIDE
from tl_experts.steering.tuning.space import ALL, VECTOR

LANGUAGES = ("es", "fr", "de", "ja", "ru", "it", "pt", "zh")
SCORINGS = ("auroc", "token_mean_difference", "lape", "probe")
HOLDS = (("set", "mean"), ("add", "mean"), ("add", "diffmean"))
COUNTS = (10, 50)
STRENGTHS = (0.5, 1.0)
SHIFT_STRENGTHS = (0.25, 0.5, 1.0)

COLUMNS = ("scoring", "held", "best k", "strength", "texts in it", "perplexity", "distinct", "compression", "score")


def grid(layer: int) -> list[Setting]:
    """All settings, those of one scoring and intervention in a row; language vectors act at one layer."""
    everything = [Setting(ALL, None, strength=strength, source="en") for strength in SHIFT_STRENGTHS]
    vectors = [Setting(VECTOR, None, strength=strength, source="en", layers=(layer,)) for strength in SHIFT_STRENGTHS]
    return [
        *everything,
        *vectors,
        *(
            Setting(scoring, count, *hold, strength)
            for scoring, hold, count, strength in product(SCORINGS, HOLDS, COUNTS, STRENGTHS)
        ),
    ]


class Bench:
    """A model, what one pass of it finds, and what it writes."""

    def __init__(self, name: str, rows: int, prompts: int, folder: Path) -> None:
        self._name, self._rows, self._prompts, self._folder = name, rows, prompts, folder

    @cached_property
    def model(self) -> Model:
        """The model."""
        return load_model(self._name)

    @cached_property
    def statistics(self) -> Statistics:
        """Of the dev split of the bundled corpus."""
        sentences = load_sentences("bundled", split="dev", limit=self._rows)
        responses, *tokens = collect_for_steering(self.model, sentences)
        return [responses, *tokens, score_responses(responses)]

    @cached_property
    def grid(self) -> list[Setting]:
        """The settings; language vectors act in the middle of the model."""
        return grid(int(self.model.cfg.n_layers) // 2)

    def natural(self, language: str) -> TextMeasures:
        """The model's own continuations of the same prompts in the language: what natural text measures."""
        return self._measured(language, [None], load_prompts(language, domain="general"), None)[0]

    def measured(self, language: str, settings: Sequence[Setting | None], natural: TextMeasures) -> list[TextMeasures]:
        """The texts of some settings (None: without steering), measured."""
        return self._measured(language, settings, load_prompts("en", domain="general"), natural)

    def possible(self, language: str) -> Iterator[Setting]:
        """The settings of the grid for which the scoring selects enough neurons."""
        return filter(self._builder(language).possible, self.grid)

    def _measured(
        self,
        language: str,
        settings: Sequence[Setting | None],
        prompts: list[str],
        natural: TextMeasures | None,
    ) -> list[TextMeasures]:
        building = self._builder(language)
        parts = {
            "unsteered" if natural and setting is None else str(setting): setting and building.build(setting)
            for setting in settings
        }
        chosen = prompts[: self._prompts]
        decoding = Decoding(max_new_tokens=32, temperature=0.7)
        written = WrittenTexts(self.model, self._folder / language, language, decoding)
        return list(written.measured(parts, chosen, natural).values())

    def _builder(self, language: str) -> Builder:
        if language not in self._builders:
            self._builders[language] = builder(self.statistics, language)
        return self._builders[language]

    @cached_property
    def _builders(self) -> dict[str, Builder]:
        return {}


def rows_of(bench: Bench, language: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The cells of each row and its first text: natural, unsteered, then the best of each scoring and intervention."""
    natural = bench.natural(language)
    yield _cells(("its own texts in it", "", "", ""), replace(natural, natural=natural)), natural.texts[0]
    (before,) = bench.measured(language, [None], natural)
    yield _cells(("without steering", "", "", ""), before), before.texts[0]
    best: dict[tuple[str, str], tuple[Setting, TextMeasures]] = {}
    settings = list(bench.possible(language))
    for start in range(0, len(settings), SIDE_BY_SIDE):
        some = settings[start : start + SIDE_BY_SIDE]
        for setting, found in zip(some, bench.measured(language, some, natural), strict=True):
            key = (setting.scoring, f"{setting.operation} {setting.value}")
            if key not in best or found.score.value > best[key][1].score.value:
                best[key] = (setting, found)
            sys.stderr.write(f"{language} {setting}: {found}\n")
    for (scoring, held), (setting, found) in best.items():
        start_cells = (scoring, held, str(setting.count or "all"), f"{setting.strength:g}")
        yield _cells(start_cells, found), found.texts[0]


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
    for language in arguments.languages:
        sys.stdout.write(markdown(bench, language) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
