"""Which language a model writes next when those before it are silenced (Gurgurov et al. 2025).

The neurons of one language are set to zero, then those of a second as well, and so on; at each step texts are generated
and their languages identified.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from tl_experts.corpus.languages import language_code
from tl_experts.errors import InterventionError, require_whole
from tl_experts.experts.experts import Experts
from tl_experts.jobs.artefacts import complete, load_artefact, save_artefact
from tl_experts.models import Model
from tl_experts.steering.generation import LanguageIdentifier, generate_texts
from tl_experts.steering.interventions import steer
from tl_experts.steering.steering import Steering

if TYPE_CHECKING:
    import pandas as pd

NONE = "none"
"""The language of a text without content."""

_KIND = "fallback"


@dataclass(frozen=True, eq=False)
class Fallback:
    """The languages of texts, as one language after the other is silenced. Frozen.

    Raises:
        InterventionError: probabilities or texts that do not fit the languages and steps.
    """

    silenced: tuple[str, ...]
    """In this order: at step n the first n are silenced, at step 0 none is."""

    languages: tuple[str, ...]
    """That a text may be in."""

    probabilities: Float64[np.ndarray, "step text language"]
    """Of each language, by langid.py; zeros for a text without content."""

    texts: tuple[tuple[str, ...], ...]
    """What was generated, by step."""

    def __post_init__(self) -> None:
        """Check that the parts fit each other, and make the array read-only."""
        steps = len(self.silenced) + 1
        counts = {len(texts) for texts in self.texts}
        found = self.probabilities
        if len(self.texts) != steps or len(counts) != 1 or 0 in counts:
            raise InterventionError(f"texts of {len(self.texts)} steps; expected {steps} with as many texts each")
        expected = (steps, counts.pop(), len(self.languages))
        if found.shape != expected or found.dtype != np.float64 or not ((found >= 0) & (found <= 1)).all():
            raise InterventionError(
                f"probabilities are {found.dtype} {found.shape}; expected float64 {expected} from 0 to 1"
            )
        self.probabilities.setflags(write=False)

    @property
    def shares(self) -> Float64[np.ndarray, "step language"]:
        """The share of the texts whose likeliest language is this one; texts without content are in none."""
        likeliest = self.probabilities.argmax(axis=2)
        written = self.probabilities.max(axis=2) > 0
        hits = [(likeliest == column) & written for column in range(len(self.languages))]
        return np.stack([hit.mean(axis=1) for hit in hits], axis=1)

    @property
    def written(self) -> tuple[str, ...]:
        """The commonest language at each step; ``"none"`` if no text has content."""
        return tuple(self.languages[int(row.argmax())] if row.any() else NONE for row in self.shares)

    def to_pandas(self) -> "pd.DataFrame":
        """One row per step and language.

        ``silenced`` is the language silenced last (empty at step 0), ``share`` that of the texts in ``language``, and
        ``probability`` the mean over texts.
        """
        import pandas as pd

        means = self.probabilities.mean(axis=1)
        return pd.DataFrame(
            [
                {
                    "step": step,
                    "silenced": ("", *self.silenced)[step],
                    "language": language,
                    "share": float(self.shares[step, column]),
                    "probability": float(means[step, column]),
                }
                for step in range(len(self.texts))
                for column, language in enumerate(self.languages)
            ]
        )

    def save_pretrained(self, path: str | Path) -> Path:
        """Save as a folder, or as one file if named ``*.safetensors``. Nothing is pickled.

        Raises:
            ArtefactError: the path cannot be written.
        """
        header = {"silenced": self.silenced, "languages": self.languages, "texts": self.texts}
        return save_artefact(path, _KIND, {"probabilities": self.probabilities}, header)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "Fallback":
        """Load what `save_pretrained` wrote.

        Raises:
            ArtefactError: the artefact is missing, damaged, or something else.
        """
        arrays, header = load_artefact(path, _KIND)
        with complete(path, "fallback"):
            texts = tuple(_strings(step, "texts") for step in header["texts"])
            names: dict[str, Any] = {name: _strings(header[name], name) for name in ("silenced", "languages")}
            return cls(**names, probabilities=arrays["probabilities"], texts=texts)


def fallback_languages(
    model: Model,
    experts: Experts,
    order: Sequence[str],
    *,
    count: int = 64,
    seed: int = 0,
    prompt: str = "",
    max_new_tokens: int = 48,
    languages: Sequence[str] | None = None,
    check: bool = True,
    progress: bool = True,
) -> Fallback:
    """Silence one language after the other, and identify what the model writes at each step.

    Args:
        model: the model the experts were found in.
        experts: of the languages to silence.
        order: the languages, in the order in which they are silenced.
        count: texts generated at each step.
        seed: of the generations, the same at each step.
        prompt: what every text begins with (it is not identified).
        max_new_tokens: of each text.
        languages: that a text may be in; None: those of the experts.
        check: raise an error if the experts are of another model.
        progress: show a bar at each step.

    Raises:
        InterventionError: no language to silence, or one twice.
        SelectionError: a language without experts.
        ArtefactError: the experts are of another model.
        TLExpertsError: an option of `generate_texts` out of its range, or languages that cannot be distinguished.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> experts = find_experts(model, load_sentences("bundled", split="dev", limit=10), k=20, progress=False)
        >>> found = fallback_languages(model, experts, ["en", "de"], count=2, max_new_tokens=8, progress=False)
        >>> found.shares.shape, len(found.written)
        ((3, 9), 3)
    """
    if not isinstance(experts, Experts):
        raise InterventionError(f"expected Experts, got {type(experts).__name__}; they come from find_experts(...)")
    silenced = [] if isinstance(order, str) else [language_code(language) for language in order]
    if not silenced or len(set(silenced)) < len(silenced):
        raise InterventionError(f"order is {order!r}; expected a list of one or more different languages")
    require_whole(count, "count", InterventionError)
    parts = [Steering(experts[language], operation="zero") for language in silenced]
    if check:
        experts.require_model(model)
    identifier = LanguageIdentifier(experts.languages if languages is None else languages)
    options = {"seed": seed, "prompt": prompt, "max_new_tokens": max_new_tokens, "progress": progress}
    texts: list[list[str]] = []
    for step in range(len(parts) + 1):
        with nullcontext() if not step else steer(model, parts[:step], check=False):
            texts.append(generate_texts(model, count, **options))  # type: ignore[arg-type]
    return Fallback(
        silenced=tuple(silenced),
        languages=identifier.languages,
        probabilities=np.stack([identifier.probabilities(step) for step in texts]),
        texts=tuple(map(tuple, texts)),
    )


def _strings(values: Any, name: str) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{name} {values!r:.80}; expected a list of strings")
    return tuple(values)
