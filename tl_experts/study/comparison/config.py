"""What a comparison is asked to do: a frozen set of options, read from TOML."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal, get_type_hints

from tl_experts.corpus.languages import language_code
from tl_experts.errors import StudyError, require_choice
from tl_experts.experts.scorings import SCORINGS
from tl_experts.jobs.checks import FileOptions, checked_option, shipped_files
from tl_experts.jobs.paths import require_name
from tl_experts.models.dtypes import DtypeName
from tl_experts.steering.operations import OPERATIONS
from tl_experts.steering.steering import TOKEN_VALUES, VALUES

Chat = Literal["auto", "always", "never"]

_LEAST = {
    **dict.fromkeys(("dev_rows", "test_rows", "counts", "retrieval_counts", "trials", "texts"), 1),
    **dict.fromkeys(("first_tokens", "text_tokens", "resamples", "control_seeds"), 1),
    **dict.fromkeys(("kl_rows", "silencing_count"), 1),
    **dict.fromkeys(("seed", "silencing_rows", "finalists"), 0),
}
"""The smallest value of an option, or of its items."""


@dataclass(frozen=True)
class CompareConfig(FileOptions):
    """The options of a comparison.

    Raises:
        StudyError: an option has an invalid value or the wrong type.

    Examples:
        >>> config = CompareConfig(name="mine", model="polyglot-mini", targets=("es",))
        >>> len(config.scorings) * len(config.holds)
        36
    """

    what = "comparison"

    name: str
    """Name of the comparison, which also names its folder; neither a path nor ``..``."""

    model: str
    """A model, as `load_model` takes it."""

    corpus: str = "bundled"
    """An aligned corpus, as `load_sentences` takes it, with a split to choose on and one to report on."""

    dev_split: str = "dev"
    test_split: str = "test"

    languages: tuple[str, ...] = ()
    """Languages of the corpus that are read, the targets and English among them; empty: all."""

    dev_rows: int | None = None
    """Number of rows of the dev split, on which neurons and settings are chosen; None: all."""

    test_rows: int | None = None
    """Number of rows of the test split, on which everything is reported; None: all."""

    targets: tuple[str, ...] = ("es", "fr", "de", "it", "pt", "ru", "ja", "zh")
    """The languages that are written and whose neurons steer."""

    scorings: tuple[str, ...] = ("auroc", "ap", "mean_difference", "token_mean_difference", "lape", "probe")
    """How neurons are chosen (`tl_experts.experts.scorings.SCORINGS`)."""

    holds: tuple[str, ...] = ("set mean", "add mean", "raise mean", "set token_mean", "add token_mean", "add diffmean")
    """How they are held: an operation and its value."""

    counts: tuple[int, ...] = (5, 20, 50, 100, 200, 500)
    """Numbers of neurons that the search for writing chooses from."""

    retrieval_counts: tuple[int, ...] = (100, 500)
    """Numbers of neurons that retrieval chooses from, at strength 1; where a scoring ranks fewer, all that it ranks."""

    trials: int = 12
    """Settings that are tried for writing, for each method and target."""

    first_tokens: tuple[int, ...] = ()
    """Numbers of tokens after which the search for writing may end the steering of a text, beside whole texts."""

    prompts: str = "bundled"
    """What texts are written after: ``"bundled"`` beginnings of sentences, or an aligned file or folder, as
    `load_sentences` takes it, with English and the targets: the first half to search a setting with, the second to
    report. CLaS-Bench's questions are such a folder: ``en.txt``, ``es.txt``..., one question a line."""

    chat: Chat = "auto"
    """Whether each prompt is a user's turn in the chat template of the tokenizer: ``"auto"`` (prompts of a file are, if
    there is a template), ``"always"`` or ``"never"``."""

    finalists: int = 0
    """So many of the best settings write further texts before one is chosen (`Budget.finalists`); fewer than 2: none,
    to save time."""

    texts: int = 4
    """Texts for each test prompt."""

    text_tokens: int = 48
    """Most tokens of a text."""

    control_seeds: int = 1
    """Number of draws of random neurons."""

    kl_rows: int = 3
    """Rows of the test split on which the KL divergence of settings is measured, in every language but the target."""

    equal_kl: float | None = None
    """The KL divergence, in nats per token, at which methods are compared at equal cost; None: that of the language
    vector at its best setting, which differs by target."""

    silencing_rows: int = 20
    """Rows of the test split on which the silencing matrices are measured; 0: none."""

    silencing_count: int = 100
    """Neurons of each target that are silenced, by every scoring."""

    resamples: int = 10_000
    """Resamples of every bootstrap."""

    seed: int = 0
    dtype: DtypeName = "float32"

    def __post_init__(self) -> None:
        """Check every option."""
        for name, kind in get_type_hints(CompareConfig).items():
            value = checked_option(name, kind, getattr(self, name), _LEAST, StudyError)
            object.__setattr__(self, name, value)
        require_name(self.name, "name", StudyError)
        for name in ("targets", "languages"):
            object.__setattr__(self, name, tuple(dict.fromkeys(map(language_code, getattr(self, name)))))
        for name in ("targets", "scorings", "holds", "counts", "retrieval_counts"):
            if not getattr(self, name):
                raise StudyError(f"{name} is empty; name at least one")
        if self.equal_kl is not None and self.equal_kl <= 0:
            raise StudyError(f"equal_kl is {self.equal_kl}; expected a positive number of nats, such as 0.5")
        for scoring in self.scorings:
            require_choice(scoring, SCORINGS, "scorings", StudyError)
        for hold in self.holds:
            require_choice(hold, HOLDS, "holds", StudyError)


HOLDS = tuple(f"{operation} {value}" for operation, value in product(OPERATIONS, (*VALUES, *TOKEN_VALUES)))
"""Every operation with every value."""


def shipped_comparisons() -> dict[str, Path]:
    """The TOML files of the shipped comparisons, by name."""
    return shipped_files(__file__)


def load_comparison(source: str | Path) -> CompareConfig:
    """The options of a shipped comparison, or of a TOML file.

    Examples:
        >>> load_comparison("gemma-3-270m").model
        'gemma-3-270m'

    Raises:
        StudyError: the source is neither a file nor a shipped comparison, is not TOML, or has invalid options.
    """
    return CompareConfig.of_file(source, shipped_comparisons())
