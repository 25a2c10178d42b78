"""What a study is asked to do: a frozen set of options, read from TOML."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_type_hints

from tl_experts.analysis.distances import Level, Medoid
from tl_experts.corpus.languages import language_code
from tl_experts.errors import StudyError, require_choice
from tl_experts.experts.expertise import Metric
from tl_experts.experts.scorings import SCORINGS
from tl_experts.jobs.checks import FileOptions, checked_option, shipped_files
from tl_experts.jobs.paths import require_name
from tl_experts.models import SITES
from tl_experts.models.dtypes import DtypeName
from tl_experts.models.pooling import Pooling
from tl_experts.responses.reading import DEFAULT_SITE
from tl_experts.steering.generation import STRIDE
from tl_experts.steering.steering import SentenceValue

Picture = Literal["pca", "umap"]

_LEAST = {
    **dict.fromkeys(("texts", "text_seeds", "text_tokens", "stride", "sweep_rows", "resamples", "sweep_k"), 1),
    **dict.fromkeys(("k", "dev_rows", "test_rows", "subspace_rank"), 1),
    **dict.fromkeys(("seed", "control_seeds"), 0),
}
"""The smallest value of an option, or of its items."""


@dataclass(frozen=True)
class StudyConfig(FileOptions):
    """The options of a study.

    Raises:
        StudyError: an option has an invalid value or the wrong type.

    Examples:
        >>> StudyConfig(name="mine", model="polyglot-mini", targets=("es", "fr"), k=100).resamples
        10000
        >>> StudyConfig(name="mine", model="polyglot-mini", k=0)
        Traceback (most recent call last):
        tl_experts.errors.StudyError: ...
    """

    what = "study"

    name: str
    """Name of the study, which also names its folder; neither a path nor ``..``. A TOML file may leave it out: the name
    of the file is taken then."""

    model: str
    """A model, as `load_model` takes it."""

    corpus: str = "bundled"
    """An aligned corpus, as `load_sentences` takes it, with a split to find experts on and one to measure on."""

    dev_split: str = "dev"
    test_split: str = "test"

    dev_rows: int | None = None
    """Number of rows of the dev split; None: all."""

    test_rows: int | None = None
    """Number of rows of the test split; None: all."""

    targets: tuple[str, ...] = ("en", "de", "fr", "es", "ja")
    """The languages whose experts steer (the paper's five)."""

    probe_languages: tuple[str, ...] = ()
    """Languages that experts are scored against; empty: all of the dev split. (Paper: the targets and zh.)"""

    languages: tuple[str, ...] = ()
    """Languages of embeddings and retrieval; empty: all of the test split."""

    k: int | None = None
    """Experts per target; None: the paper's rule chooses among `sweep_k`."""

    sweep_k: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
    """Numbers of experts that are compared by language identification, fluency, repetition, perplexity and retrieval;
    empty: no sweep. (Paper: 100 and more.)"""

    sweep_rows: int = 100
    """Number of rows of the dev split in the sweep's retrieval."""

    texts: int = 256
    """Free generations per seed (paper: 256)."""

    text_seeds: int = 8
    """Number of seeds of the generations (paper: 8)."""

    text_tokens: int = 64
    """Most tokens of a generation."""

    stride: int = STRIDE
    """Tokens between the windows of the perplexity."""

    metric: Metric = "auroc"
    site: str = DEFAULT_SITE
    pooling: Pooling = "max"
    """How a sentence's tokens become one response. The paper does not say; its lineage takes the maximum."""

    value: SentenceValue = "mean"
    """What an expert is set to: its ``"mean"`` response to the target, ``"median"``, ``"p90"`` or ``"zero"``."""

    distance_level: Level = "sentences"
    """Distance between the sentences of two languages, or between their means: two readings of the paper's text."""

    medoid: Medoid = "sentence"
    """The medoid is a sentence or a language: two readings of the paper's text."""

    subspace_rank: int | None = None
    """Dimensions of the language subspace; None: one less than the number of languages."""

    picture: Picture = "pca"
    """Projection of the spaces to the plane: ``"pca"`` or ``"umap"`` (needs the extra ``umap``)."""

    control_seeds: int = 3
    """Number of draws of every random control."""

    silencing: tuple[str, ...] = ()
    """Scorings whose silencing matrix is measured, such as ``["auroc", "lape"]``; empty: none. Each takes a pass
    over the test split for every language and draw of random neurons."""

    paraphrases: str = "bundled"
    """A PAWS-X folder or JSON-lines file of paraphrases; ``"bundled"``; empty: none."""

    pairs: str = ""
    """A folder of Tatoeba or BUCC pairs; empty: none."""

    resamples: int = 10_000
    """Resamples of every bootstrap. No p is below 2 / resamples, and Holm's correction multiplies it by the number of
    gains."""

    seed: int = 0
    dtype: DtypeName = "float32"
    response_dtype: DtypeName = "float32"
    """Dtype in which responses are kept."""

    def __post_init__(self) -> None:
        """Check every option."""
        for name, kind in get_type_hints(StudyConfig).items():
            value = checked_option(name, kind, getattr(self, name), _LEAST, StudyError)
            object.__setattr__(self, name, value)
        require_name(self.name, "name", StudyError)
        require_choice(self.site, SITES, "site", StudyError)
        for scoring in self.silencing:
            require_choice(scoring, SCORINGS, "silencing", StudyError)
        object.__setattr__(self, "silencing", tuple(dict.fromkeys(self.silencing)))
        for name in ("targets", "probe_languages", "languages"):
            codes = tuple(dict.fromkeys(map(language_code, getattr(self, name))))
            object.__setattr__(self, name, codes)
        if not self.targets:
            raise StudyError("targets is empty; name at least one language, as in targets = ['es']")
        if self.k is None and not self.sweep_k:
            raise StudyError("neither k nor sweep_k is given; set k, as in k = 500, or the numbers to choose from")

    @property
    def most(self) -> int:
        """The largest number of experts of any stage."""
        return max([*self.sweep_k, self.k or 0])


def shipped_configs() -> dict[str, Path]:
    """The TOML files of the shipped studies, by name."""
    return shipped_files(__file__)


def load_config(source: str | Path) -> StudyConfig:
    """The options of a shipped study, or of a TOML file.

    Examples:
        >>> load_config("aya-8b").k
        2000

    Raises:
        StudyError: the source is neither a file nor a shipped study, is not TOML, or has invalid options.
    """
    return StudyConfig.of_file(source, shipped_configs())
