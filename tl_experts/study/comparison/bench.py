"""What every part of a comparison works with: the model, the sentences, the statistics of one pass, the settings."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import StudyError
from tl_experts.experts.expertise import score_responses
from tl_experts.models import Model
from tl_experts.responses.statistics_pass import collect_for_steering
from tl_experts.steering.tuning.building import Builder, Built, Statistics, builder
from tl_experts.steering.tuning.space import SHIFTS, Setting
from tl_experts.steering.writing.continuing import Decoding
from tl_experts.study.comparison.ceiling import ceiling_space
from tl_experts.study.comparison.config import CompareConfig
from tl_experts.study.comparison.methods import Method, methods, tuning_folder
from tl_experts.study.comparison.prompts import uses_chat
from tl_experts.study.spaces import Space
from tl_experts.study.splits import read_split


@dataclass(frozen=True, eq=False)
class CompareBench:
    """A comparison with its model, corpus and folder."""

    config: CompareConfig
    model: Model
    dev: Corpus
    test: Corpus
    folder: Path
    progress: bool = True

    ceiling: bool = False
    """Whether a sentence encoder is measured as the ceiling of retrieval."""

    _builders: dict[str, Builder] = field(default_factory=dict)

    @property
    def methods(self) -> list[Method]:
        """What is compared."""
        return methods(self.config)

    @property
    def decoding(self) -> Decoding:
        """How texts are written."""
        return Decoding(max_new_tokens=self.config.text_tokens, chat=uses_chat(self.config, self.model))

    def tuning_folder(self, target: str, method: Method) -> Path:
        """Where the search of a method for a target is kept."""
        return tuning_folder(self.folder, target, method)

    @cached_property
    def statistics(self) -> Statistics:
        """Responses, statistics of tokens, and those of the residual stream, of the dev split."""
        responses, *tokens = collect_for_steering(self.model, self.dev, progress=self.progress)
        return responses, *tokens, score_responses(responses, progress=self.progress)

    @cached_property
    def ceiling_space(self) -> Space:
        """The vectors of the test split by the sentence encoder."""
        return ceiling_space(self.test)

    def builder(self, target: str) -> Builder:
        """What builds the settings of a target."""
        if target not in self._builders:
            self._builders[target] = builder(self.statistics, target)
        return self._builders[target]

    def retrieval_settings(self, target: str, method: Method) -> list[Setting]:
        """The settings of a method that retrieval chooses from.

        Of a scoring that ranks fewer neurons than the smallest count, all that it ranks, as in the silencing matrix.
        """
        building, settings = self.builder(target), method.retrieval_settings(self.config)
        possible = [setting for setting in settings if building.possible(setting)]
        if possible or method.scoring in SHIFTS or method.scoring not in building.scorings:
            return possible
        ranked = building.best(method.scoring, min(self.config.retrieval_counts))
        return [] if ranked is None else [replace(settings[0], count=ranked.total)]

    def reading(self, target: str, setting: Setting) -> Built:
        """What a setting does to text that is read: a setting of tokens that are written acts on all that are read."""
        everywhere = setting if setting.positions == "last" else replace(setting, positions="all")
        return self.builder(target).build(everywhere)


def read_corpora(config: CompareConfig) -> tuple[Corpus, Corpus]:
    """The dev and the test split.

    Raises:
        StudyError: a target or English, the language of the prompts, is missing in one of them.
        CorpusError: the corpus cannot be read, is not aligned, or its splits share sentences.
    """
    dev = read_split(config.corpus, config.dev_split, config.dev_rows)
    test = read_split(config.corpus, config.test_split, config.test_rows)
    if config.languages:
        dev, test = dev.only(config.languages), test.only(config.languages)
    dev.require_disjoint(test)
    test.parallel()
    shared = [language for language in dev.languages if language in test.languages]
    for target in (*config.targets, "en"):
        if target not in shared:
            raise StudyError(f"{target!r} is not in both splits; they share {', '.join(shared)}")
    return dev, test
