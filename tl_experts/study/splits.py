"""The sentences of a study: a split on which experts are found, and one on which everything is measured."""

from dataclasses import dataclass

from tl_experts.corpus.readers import load_sentences
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import StudyError
from tl_experts.jobs.paths import path_of_name, user_path
from tl_experts.study.config import StudyConfig


@dataclass(frozen=True)
class Splits:
    """The sentences of a study."""

    dev: Corpus
    """All languages of the split on which experts are found."""

    probe: Corpus
    """The languages of `dev` that experts are scored against."""

    test: Corpus
    """The split on which everything is measured, in the study's languages."""

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of embeddings and retrieval."""
        return self.test.languages


def read_splits(config: StudyConfig) -> Splits:
    """Read the sentences of a study.

    Raises:
        StudyError: a target is missing in one of the splits.
        CorpusError: the corpus cannot be read, is not aligned, or its splits share sentences.
    """
    dev = read_split(config.corpus, config.dev_split, config.dev_rows)
    test = read_split(config.corpus, config.test_split, config.test_rows)
    dev.require_disjoint(test)
    test = test.only(config.languages or test.languages)
    probe = dev.only(config.probe_languages) if config.probe_languages else dev
    shared = [language for language in probe.languages if language in test.languages]
    for target in config.targets:
        if target not in shared:
            raise StudyError(f"target {target!r} is not in both splits; they share {', '.join(shared)}")
    return Splits(dev, probe, test)


def read_split(corpus: str, split: str, rows: int | None) -> Corpus:
    """A split of a corpus, as `load_sentences` takes it. Of a folder, the subfolder of that name."""
    source = user_path(corpus)
    if source.is_dir():
        return load_sentences(path_of_name(source, split), aligned=True, limit=rows)
    if source.is_file():
        # A limit would count the rows of all splits of a table.
        whole = load_sentences(source, split=split)
        return whole if rows is None else whole.head(rows)
    return load_sentences(corpus, split=split, limit=rows)
