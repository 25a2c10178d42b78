"""What the methods of a comparison write after: bundled beginnings of sentences, or prompts of a file or folder."""

from dataclasses import dataclass

from tl_experts.corpus.readers import load_sentences
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import StudyError
from tl_experts.jobs.paths import user_path
from tl_experts.models import Model
from tl_experts.steering.tuning.tuner import TuningPrompts
from tl_experts.steering.writing.prompts import load_prompts
from tl_experts.study.comparison.config import CompareConfig

BUNDLED = "bundled"


@dataclass(frozen=True)
class WritingPrompts:
    """The prompts of one target: the first half to search a setting with, the second to report."""

    tuning: TuningPrompts
    report: list[str]

    own: list[str]
    """Translations of `report` into the target."""


def writing_prompts(config: CompareConfig, target: str) -> WritingPrompts:
    """The prompts of a target: English ones; for English itself, German ones.

    Raises:
        StudyError: the file or folder does not exist, has fewer than two rows of both languages, or repeats a prompt.
        CorpusError: it cannot be read, is not aligned, or lacks a language.
        TLExpertsError: a target without bundled prompts.
    """
    source = "de" if target == "en" else "en"
    prompts, own = _aligned(config.prompts, source, target)
    half = len(prompts) // 2
    if not half:
        raise StudyError(f"prompts {config.prompts!r} have one row in {source} and {target}; give at least two")
    if shared := sorted(set(prompts[:half]) & set(prompts[half:])):
        raise StudyError(
            f"prompts {config.prompts!r} have {shared[0]!r:.60} in both halves: it would serve both to search and to "
            "report; remove one"
        )
    return WritingPrompts(TuningPrompts(tuple(prompts[:half]), tuple(own[:half])), prompts[half:], own[half:])


def fingerprint_of_prompts(config: CompareConfig) -> str:
    """What identifies the prompts of all targets; reading them finds what is wrong before a model is loaded.

    Raises:
        TLExpertsError: as `writing_prompts`.
    """
    texts: dict[str, list[str]] = {}
    for target in config.targets:
        found = writing_prompts(config, target)
        texts[target] = [*found.tuning.search, *found.report, *found.tuning.natural, *found.own]
    return Corpus.from_texts(texts, name="prompts").fingerprint


def uses_chat(config: CompareConfig, model: Model) -> bool:
    """Whether each prompt is a user's turn. ``"auto"``: prompts of a file are, if the tokenizer has a template."""
    if config.chat == "auto":
        return config.prompts != BUNDLED and bool(getattr(model.tokenizer, "chat_template", None))
    return config.chat == "always"


def _aligned(source: str, *languages: str) -> list[list[str]]:
    """The prompts of some languages, row by row translations of each other."""
    if source == BUNDLED:
        return [load_prompts(language) for language in languages]
    path = user_path(source)
    if not path.exists():
        raise StudyError(
            f"prompts is {source!r}: neither {BUNDLED!r} nor a file or folder; give a folder with one text file per "
            "language, one prompt a line (en.txt, es.txt), or a table with one column per language"
        )
    corpus = load_sentences(path, languages=languages, aligned=True)
    return [[corpus.texts[index] for index in rows] for rows in corpus.parallel(languages).values()]
