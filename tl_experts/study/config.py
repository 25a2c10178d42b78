"""What a study is asked to do: a frozen set of options, read from TOML."""

import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tl_experts.analysis.distances import LEVELS, MEDOIDS
from tl_experts.corpus.languages import language_code
from tl_experts.errors import StudyError, near, require_choice
from tl_experts.experts.expertise import METRICS
from tl_experts.models.dtypes import DTYPES
from tl_experts.models.pooling import POOLINGS
from tl_experts.responses.reading import DEFAULT_SITE
from tl_experts.steering.generation import STRIDE
from tl_experts.steering.steering import VALUES

PICTURES = ("pca", "umap")


@dataclass(frozen=True)
class StudyConfig:
    """The options of a study.

    Raises:
        StudyError: an option that cannot be, or of the wrong type.

    Examples:
        >>> StudyConfig(name="mine", model="polyglot-mini", targets=("es", "fr"), k=100).resamples
        10000
        >>> StudyConfig(name="mine", model="polyglot-mini", k=0)
        Traceback (most recent call last):
        tl_experts.errors.StudyError: ...
    """

    name: str
    """Of the study; its folder, unless another is given."""

    model: str
    """What `load_model` takes."""

    corpus: str = "bundled"
    """What `load_sentences` takes; aligned, with a split to find experts on and one to measure on."""

    dev_split: str = "dev"
    test_split: str = "test"

    dev_rows: int | None = None
    """Rows of the dev split that are read; None: all."""

    test_rows: int | None = None
    """Rows of the test split that are read; None: all."""

    targets: tuple[str, ...] = ("en", "de", "fr", "es", "ja")
    """The languages whose experts steer (the paper's five)."""

    probe_languages: tuple[str, ...] = ()
    """Languages the experts are told apart among; empty: all of the dev split. (Paper: the targets and zh.)"""

    languages: tuple[str, ...] = ()
    """Languages of embeddings and retrieval; empty: all of the test split."""

    k: int | None = None
    """Experts per target; None: the paper's rule chooses among `sweep_k`."""

    sweep_k: tuple[int, ...] = (100, 200, 500, 1000, 2000, 5000)
    """Counts that are compared by language identification, perplexity and retrieval; empty: no sweep."""

    sweep_rows: int = 100
    """Rows of the dev split in the sweep's retrieval."""

    texts: int = 256
    """Free generations per seed (paper: 256)."""

    text_seeds: int = 8
    """Seeds of the generations (paper: 8)."""

    text_tokens: int = 64
    """Length at which a generation is cut."""

    stride: int = STRIDE
    """Of the perplexity's windows, in tokens."""

    metric: str = "auroc"
    site: str = DEFAULT_SITE
    pooling: str = "max"
    """Of a sentence's tokens into one response; the paper does not say, its lineage takes the maximum."""

    value: str = "mean"
    """What an expert is set to: its ``"mean"`` response to the target, ``"median"``, ``"p90"`` or ``"zero"``."""

    distance_level: str = "sentences"
    """How two languages' distance is read from the paper's text: one of `tl_experts.analysis.distances.LEVELS`."""

    medoid: str = "sentence"
    """How the medoid is read: one of `tl_experts.analysis.distances.MEDOIDS`."""

    subspace_rank: int | None = None
    """Directions of the language subspace; None: one less than there are languages."""

    picture: str = "pca"
    """Projection of the spaces to the plane: ``"pca"`` or ``"umap"`` (needs the extra ``umap``)."""

    control_seeds: int = 3
    """Draws of every random control."""

    paraphrases: str = "bundled"
    """A PAWS-X folder or JSON-lines file of paraphrases; ``"bundled"``; empty: none."""

    pairs: str = ""
    """A folder of Tatoeba or BUCC pairs; empty: none."""

    resamples: int = 10_000
    """Of every bootstrap: no p is below 2 / resamples, and Holm's correction multiplies it by the number of gains."""

    seed: int = 0
    dtype: str = "float32"
    response_dtype: str = "float32"
    """Dtype of the responses that are kept."""

    def __post_init__(self) -> None:
        """Check every option."""
        for field in fields(self):
            object.__setattr__(self, field.name, _typed(field.name, field.type, getattr(self, field.name)))
        for name in ("targets", "probe_languages", "languages"):
            codes = tuple(dict.fromkeys(map(language_code, getattr(self, name))))
            object.__setattr__(self, name, codes)
        for name, choices in (
            ("metric", METRICS),
            ("pooling", POOLINGS),
            ("value", VALUES),
            ("distance_level", LEVELS),
            ("medoid", MEDOIDS),
            ("picture", PICTURES),
            ("dtype", DTYPES),
            ("response_dtype", DTYPES),
        ):
            require_choice(getattr(self, name), choices, name, StudyError)
        for name in ("texts", "text_seeds", "text_tokens", "stride", "sweep_rows", "resamples"):
            _require_at_least(name, getattr(self, name), 1)
        for name in ("k", "dev_rows", "test_rows", "subspace_rank"):
            if getattr(self, name) is not None:
                _require_at_least(name, getattr(self, name), 1)
        _require_at_least("seed", self.seed, 0)
        _require_at_least("control_seeds", self.control_seeds, 0)
        for k in self.sweep_k:
            _require_at_least("sweep_k", k, 1)
        if not self.targets:
            raise StudyError("targets is empty; name at least one language, as in targets = ['es']")
        if self.k is None and not self.sweep_k:
            raise StudyError("neither k nor sweep_k is given; set k = 500, say, or the counts to choose among")

    @property
    def most(self) -> int:
        """The largest number of experts that any stage asks for."""
        return max([*self.sweep_k, self.k or 0])

    def as_dict(self) -> dict[str, Any]:
        """The options as JSON can hold them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, options: dict[str, Any], where: str = "study") -> "StudyConfig":
        """From names and values, as read from TOML or JSON.

        Raises:
            StudyError: an unknown option, a missing one, or a value that cannot be.
        """
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise StudyError(f"{where}: option {name!r} is not known; {near(name, known)}")
        missing = [name for name in ("name", "model") if name not in options]
        if missing:
            raise StudyError(f"{where}: {' and '.join(missing)} must be given, as in {missing[0]} = 'polyglot-mini'")
        return cls(**options)


def shipped_configs() -> dict[str, Path]:
    """The studies that come with the package, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "configs").glob("*.toml"))}


def load_config(source: str | Path) -> StudyConfig:
    """A study by the name of a shipped one, or from a TOML file.

    Examples:
        >>> load_config("aya-8b").k
        2000

    Raises:
        StudyError: neither a file nor a shipped name, not TOML, or options that cannot be.
    """
    shipped = shipped_configs()
    path = shipped.get(str(source), Path(source))
    if not path.is_file():
        raise StudyError(f"no study {str(source)!r}: neither a TOML file nor a shipped one; {near(source, shipped)}")
    try:
        options = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StudyError(f"{path} is not TOML: {error}") from error
    return StudyConfig.from_dict(options, str(path))


def _typed(name: str, kind: Any, value: Any) -> Any:
    annotation = kind.__name__ if isinstance(kind, type) else str(kind)
    if annotation.startswith("tuple"):
        inner = str if "str" in annotation else int
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise StudyError(f"{name} is {value!r}; expected a list")
        return tuple(_typed(name, inner, item) for item in value)
    if value is None and "None" in annotation:
        return None
    wanted = str if annotation == "str" else int
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise StudyError(f"{name} is {value!r}; expected {'a text' if wanted is str else 'a whole number'}")
    return value


def _require_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise StudyError(f"{name} is {value}; expected {least} or more")
