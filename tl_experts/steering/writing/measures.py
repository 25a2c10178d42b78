"""`TextMeasures`: language, fluency and repetition of texts, beside those of natural ones, with bootstrap intervals."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float64
from numpy.typing import NDArray

from tl_experts.analysis.statistics import LEVEL, RESAMPLES, Estimate
from tl_experts.errors import TLExpertsError
from tl_experts.models import Model
from tl_experts.steering.interventions import Steerable, steer
from tl_experts.steering.writing.continuing import DEFAULT_DECODING, Decoding, continue_prompts
from tl_experts.steering.writing.fluency import text_perplexities
from tl_experts.steering.writing.language import in_language
from tl_experts.steering.writing.passes import PassRates, pass_rates
from tl_experts.steering.writing.repetition import compression_ratio, distinct_bigrams

if TYPE_CHECKING:
    import pandas as pd

PERPLEXITY_RATIO = 2.0
"""Texts are fluent up to so many times the perplexity of natural ones."""

VARIETY_RATIO = 0.9
"""Texts are varied from this share of the distinct bigrams and of the compression ratio of natural ones."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TextMeasures:
    """What `measure_texts` found. Intervals are of 95%, by a bootstrap over prompts.

    Examples:
        >>> from tl_experts import load_model, measure_texts
        >>> model = load_model("polyglot-mini")
        >>> found = measure_texts(model, ["Guarde el documento.", "Guarde guarde guarde guarde."], "es", progress=False)
        >>> found.bigrams.tolist()
        [1.0, 0.5]
    """

    language: str
    """The code of the language that the texts should be in."""

    texts: tuple[str, ...]

    prompts: tuple[str, ...]
    """What stands before each text; empty strings without prompts."""

    in_language: Bool[np.ndarray, " text"]
    """Whether the text is in the language (`text_language`)."""

    perplexities: Float64[np.ndarray, " text"]
    """Under the model without steering; NaN for an empty text, as in the next two."""

    bigrams: Float64[np.ndarray, " text"]
    """Shares of distinct bigrams."""

    compressions: Float64[np.ndarray, " text"]
    """Compression ratios."""

    natural: "TextMeasures | None" = None
    """Measures of natural texts, the model's own continuations of prompts in the language, to compare with."""

    seed: int = 0
    """Seed of the bootstrap."""

    @property
    def share(self) -> Estimate:
        """The share of texts in the language."""
        return self._interval(lambda rows: self.in_language[rows].mean())

    @property
    def perplexity(self) -> Estimate:
        """The median perplexity of a text."""
        return self._interval(lambda rows: _reduced(np.median, self.perplexities[rows]))

    @property
    def distinct(self) -> Estimate:
        """The mean share of distinct bigrams of a text."""
        return self._interval(lambda rows: _reduced(np.mean, self.bigrams[rows]))

    @property
    def compression(self) -> Estimate:
        """The mean compression ratio of a text."""
        return self._interval(lambda rows: _reduced(np.mean, self.compressions[rows]))

    @property
    def rates(self) -> PassRates:
        """Line and word pass rate."""
        return pass_rates(self.texts, self.language)

    @property
    def quality(self) -> Float64[np.ndarray, " text"]:
        """How natural each text reads, 0 to 1, whatever its language.

        The product of three ratios to the natural texts, each at most 1: 2 x their median perplexity over the text's,
        and the text's distinct bigrams and compression ratio over 0.9 x their means. 0 for an empty text.

        Raises:
            TLExpertsError: there are no natural texts to compare with.
        """
        natural = self.require_natural()
        ratios = (
            PERPLEXITY_RATIO * natural._value(np.median, "perplexities") / self.perplexities,
            self.bigrams / (VARIETY_RATIO * natural._value(np.mean, "bigrams")),
            self.compressions / (VARIETY_RATIO * natural._value(np.mean, "compressions")),
        )
        product: Floats = np.prod([np.minimum(ratio, 1.0) for ratio in ratios], axis=0)
        return np.nan_to_num(product, nan=0.0)

    @property
    def score(self) -> Estimate:
        """The harmonic mean of the share F of texts in the language and the mean quality J, 2FJ / (F + J).

        The form is that of CLaS-Bench (Gurgurov et al. 2026, arXiv 2601.08331), whose J is judged by Qwen3-8B. Here
        `quality` stands for the judge: it measures fluency and repetition, not what a text says.

        Raises:
            TLExpertsError: there are no natural texts to compare with.
        """
        quality = self.quality
        return self._interval(lambda rows: harmonic(self.in_language[rows].mean(), quality[rows].mean()))

    @property
    def reads_well(self) -> bool:
        """Whether the texts are fluent and varied by comparison with the natural ones; a text that only repeats is not.

        Median perplexity at most 2 x theirs, distinct bigrams and compression ratio at least 0.9 of theirs.

        Raises:
            TLExpertsError: there are no natural texts to compare with.
        """
        natural = self.require_natural()
        return bool(
            self._value(np.median, "perplexities") <= PERPLEXITY_RATIO * natural._value(np.median, "perplexities")
            and self._value(np.mean, "bigrams") >= VARIETY_RATIO * natural._value(np.mean, "bigrams")
            and self._value(np.mean, "compressions") >= VARIETY_RATIO * natural._value(np.mean, "compressions")
        )

    def to_dict(self) -> dict[str, Any]:
        """The numbers, for a table or JSON; those relative to natural texts only where there are some."""
        rates = self.rates
        row: dict[str, Any] = {"language": self.language, "texts": len(self.texts)}
        names = ("share", "perplexity", "distinct", "compression", *(("score",) if self.natural is not None else ()))
        for name in names:
            found: Estimate = getattr(self, name)
            row |= {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}
        row |= {"line_pass_rate": rates.lines, "word_pass_rate": rates.words}
        if self.natural is not None:
            row |= {f"natural_{name}": getattr(self.natural, name).value for name in names[1:4]}
            row["reads_well"] = self.reads_well
        return row

    def to_pandas(self) -> "pd.DataFrame":
        """One row per text."""
        import pandas as pd

        table: dict[str, Any] = {
            "prompt": self.prompts,
            "text": self.texts,
            "in_language": self.in_language,
            "perplexity": self.perplexities,
            "distinct": self.bigrams,
            "compression": self.compressions,
        }
        return pd.DataFrame(table | ({} if self.natural is None else {"quality": self.quality}))

    def __str__(self) -> str:
        """The measures in a line."""
        beside = "" if self.natural is None else f" (natural: {self.natural.perplexity.value:.3g})"
        return (
            f"{len(self.texts)} texts, {self.share.value:.0%} in {self.language}, perplexity "
            f"{self.perplexity.value:.3g}{beside}, distinct bigrams {self.distinct.value:.2f}, compression "
            f"{self.compression.value:.2f}"
        )

    def require_natural(self) -> "TextMeasures":
        """The natural texts.

        Raises:
            TLExpertsError: there are none.
        """
        if self.natural is None:
            raise TLExpertsError("there are no natural texts to compare with; give natural=... to measure_texts")
        return self.natural

    def _value(self, reduce: Callable[[Floats], Any], column: str) -> float:
        return _reduced(reduce, getattr(self, column))

    def _interval(self, measure: Callable[[NDArray[np.int64]], Any]) -> Estimate:
        """A measure of all texts, and of resampled prompts: texts of one prompt are not independent."""
        groups = [np.array(rows) for rows in _rows_by_prompt(self.prompts)]
        rng = np.random.default_rng(self.seed)
        drawn = rng.integers(len(groups), size=(RESAMPLES, len(groups)))
        values = [float(measure(np.concatenate([groups[group] for group in draw]))) for draw in drawn]
        tail = 100 * (1 - LEVEL) / 2
        low, high = (float("nan"),) * 2 if np.isnan(values).all() else np.nanpercentile(values, [tail, 100 - tail])
        return Estimate(float(measure(np.arange(len(self.texts)))), float(low), float(high))


def measure_texts(
    model: Model,
    texts: Sequence[str],
    language: str,
    *,
    prompts: Sequence[str] | None = None,
    natural: TextMeasures | None = None,
    seed: int = 0,
    progress: bool = True,
) -> TextMeasures:
    """Measure texts that should be in a language: share, pass rates, perplexity, repetition, and one score.

    Call it outside `steer`: perplexity is that of the model without steering.

    Args:
        model: what the perplexity is measured with.
        texts: any texts; those that a model wrote after a prompt without the prompt.
        language: the code of the language they should be in.
        prompts: what stands before each text, read for its perplexity but not scored; intervals resample prompts.
        natural: measures of natural texts in the language, for `score` and `reads_well`.
        seed: of the bootstrap.
        progress: show a bar.

    Raises:
        TLExpertsError: no text, not one prompt a text, or natural texts of another language.
        ModelError: a text is longer than the context.

    Examples:
        >>> from tl_experts import load_model
        >>> model = load_model("polyglot-mini")
        >>> texts = ["Guarde el documento antes de cerrar la ventana.", "Save the document."]
        >>> measure_texts(model, texts, "es", progress=False).share.value
        0.5
    """
    if isinstance(texts, str) or not len(texts):
        raise TLExpertsError(f"texts is {texts!r:.60}; give a list of at least one text")
    if natural is not None and natural.language != language:
        raise TLExpertsError(f"the natural texts should be in {natural.language}, these in {language}; give its own")
    found = measures_of_texts(texts, language, prompts=prompts, natural=natural, seed=seed)
    return replace(found, perplexities=text_perplexities(model, texts, prompts=prompts, progress=progress))


def measures_of_texts(
    texts: Sequence[str],
    language: str,
    *,
    prompts: Sequence[str] | None = None,
    natural: TextMeasures | None = None,
    seed: int = 0,
) -> TextMeasures:
    """What needs no model: language and repetition. Every perplexity is NaN; `dataclasses.replace` adds it.

    Args:
        texts: at least one.
        language: the code of the language they should be in.
        prompts: what stands before each text.
        natural: measures of natural texts in the language.
        seed: of the bootstrap.
    """
    return TextMeasures(
        language=language,
        texts=tuple(texts),
        prompts=("",) * len(texts) if prompts is None else tuple(prompts),
        in_language=in_language(texts, language),
        perplexities=np.full(len(texts), np.nan),
        bigrams=np.array([distinct_bigrams(text) for text in texts]),
        compressions=np.array([compression_ratio(text) for text in texts]),
        natural=natural,
        seed=seed,
    )


def measure_writing(
    model: Model,
    prompts: Sequence[str],
    language: str,
    *,
    steering: Steerable | None = None,
    texts: int = 1,
    seed: int = 0,
    decoding: Decoding = DEFAULT_DECODING,
    natural: TextMeasures | None = None,
    batch_size: int = 64,
    progress: bool = True,
) -> TextMeasures:
    """Continue prompts, steered or not, and measure the texts: `continue_prompts` and `measure_texts` in a row.

    Args:
        model: either class.
        prompts: in any language.
        language: the code of the language the texts should be in.
        steering: what `steer` takes; None: the model as it is.
        texts: how many for each prompt.
        seed: of the draws and of the bootstrap.
        decoding: how tokens are chosen. The texts of chat models are measured without their prompts.
        natural: as in `measure_texts`.
        batch_size: texts at a time.
        progress: show bars.

    Raises:
        TLExpertsError: as `continue_prompts`, `steer` and `measure_texts`.

    Examples:
        >>> from tl_experts import load_model
        >>> model = load_model("polyglot-mini")
        >>> own = measure_writing(model, ["Para abrir un archivo,"], "es", texts=4, progress=False)
        >>> len(own.texts), 0 <= own.share.value <= 1
        (4, True)
    """
    with nullcontext() if steering is None else steer(model, steering):
        written = continue_prompts(
            model, prompts, texts=texts, seed=seed, decoding=decoding, batch_size=batch_size, progress=progress
        )
    flat = [text for own in written for text in own]
    before = [prompt for prompt, own in zip(prompts, written, strict=True) for _ in own]
    read = None if decoding.chat else before
    found = measure_texts(model, flat, language, prompts=read, natural=natural, seed=seed, progress=progress)
    return replace(found, prompts=tuple(before))  # also of a chat: intervals resample prompts


def _rows_by_prompt(prompts: Sequence[str]) -> list[list[int]]:
    """The texts of each prompt; without prompts each text stands alone."""
    rows: dict[object, list[int]] = {}
    for row, prompt in enumerate(prompts):
        rows.setdefault(prompt or row, []).append(row)
    return list(rows.values())


def _reduced(reduce: Callable[[Floats], Any], values: Floats) -> float:
    """A reduction that leaves out what could not be measured; NaN if nothing could."""
    known = values[~np.isnan(values)]
    return float(reduce(known)) if len(known) else float("nan")


def harmonic(share: float, quality: float) -> float:
    """The score of a share and a mean quality; 0 if both are."""
    return 2 * share * quality / (share + quality) if share + quality > 0 else 0.0
