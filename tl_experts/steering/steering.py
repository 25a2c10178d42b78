"""`Steering`: what is held and how, as a value that can be saved and that describes itself in one line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from tl_experts.errors import InterventionError, require_choice
from tl_experts.experts.experts import Experts
from tl_experts.jobs.artefacts import complete, load_artefact, save_artefact
from tl_experts.models import Hook, Model, PassTracker, hook_name
from tl_experts.steering.neurons import neuron_hook
from tl_experts.steering.norms import keeping_norm, require_keep_norm
from tl_experts.steering.operations import (
    OPERATIONS,
    Floats,
    Operation,
    Plan,
    changes_nothing,
    operation_name,
    plan,
)
from tl_experts.steering.positions import Positions, positions_in_words, require_followed, require_positions

SentenceValue = Literal["mean", "median", "p90", "zero"]
"""A value that all experts have."""

TokenValue = Literal["token_mean", "diffmean"]
"""A value of experts that were found with statistics of tokens."""

Value = SentenceValue | TokenValue
VALUES: tuple[SentenceValue, ...] = get_args(SentenceValue)
TOKEN_VALUES: tuple[TokenValue, ...] = get_args(TokenValue)

TOKEN_COLUMNS = ("token_mean", "token_negative_mean")


@dataclass(frozen=True, eq=False)
class Steering:
    """What is held and how. Frozen; the defaults are the paper's setting.

    Raises:
        InterventionError: experts of several languages, or an option that is not defined.

    Examples:
        >>> from tl_experts import find_experts, load_model, load_sentences, steer
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> experts = find_experts(model, sentences, k=5, progress=False)
        >>> spanish = Steering(experts["es"], operation="add", strength=0.5)
        >>> print(spanish)
        add at strength 0.5, value mean, all positions: 5 es experts (top 5 by auroc at mlp.hook_post)
        >>> english = Steering(experts["en"], operation="zero")
        >>> with steer(model, [english, spanish]):
        ...     logits = model("To open a file,")
    """

    experts: Experts
    """Of one language: ``experts["es"]``."""

    operation: Operation = "set"
    """A name from `OPERATIONS`, or a function ``(activation [batch pos expert], value [expert]) -> activation``."""

    value: Value | ArrayLike = "mean"
    """What is set or added: the experts' ``"mean"`` response to their language, ``"median"``, ``"p90"`` or ``"zero"``;
    of experts with statistics of tokens also their mean over tokens, ``"token_mean"``, and ``"diffmean"``, that mean
    less the mean over the tokens of all other languages (Gurgurov et al. 2025); or a number per expert."""

    strength: float = 1.0
    """Strength of the operation, as its formula states; 0 changes nothing except for ``"scale"``."""

    positions: Positions = "all"
    """``"all"``; ``"last"``: the last token of each text in each pass; ``"generated"``: what is fed back while
    generating with the key-value cache; or a number n: all positions, until the first n tokens are written. These steer
    a text into a language, in which the model goes on by itself; without the cache, steering does not end."""

    keep_norm: bool = False
    """Rescale the layer's activation, per token, to the norm it had before."""

    def __post_init__(self) -> None:
        """Check every option."""
        require_experts(self.experts)
        require_positions(self.positions)
        require_keep_norm(self.keep_norm)
        values = _values(self.experts, self.value)
        if not isinstance(self.value, str):
            values = values.copy()
            values.setflags(write=False)
            object.__setattr__(self, "value", values)
        self.plan()

    def __str__(self) -> str:
        """The steering in a line."""
        value = self.value if isinstance(self.value, str) else "given"
        norm = ", norm kept" if self.keep_norm else ""
        count, language = self.experts.total, self.experts.languages[0]
        return (
            f"{operation_name(self.operation)} at strength {self.strength:g}, value {value}, "
            f"{positions_in_words(self.positions)}{norm}: {count} {language} experts ({self.experts.selection} by "
            f"{self.experts.metric} at {self.experts.site})"
        )

    def plan(self) -> Plan:
        """What is done to each expert."""
        auroc = self.experts.statistics["auroc"]
        planned = plan(self.operation, _values(self.experts, self.value), auroc, self.strength)
        if np.isnan(planned.amounts).any():
            damps = isinstance(self.operation, str) and self.operation == "damp"
            lacking = (
                "AUROC, which random controls and listed neurons" if damps else f"{self.value} response, which some"
            )
            raise InterventionError(
                f"operation={operation_name(self.operation)!r} needs the neurons' {lacking} do not have; give a number "
                "per neuron as value=, or measure them: experts.with_statistics(expertise)"
            )
        return planned

    def hooks(self, passes: PassTracker | None = None) -> list[Hook]:
        """The hook functions, one per layer that has experts.

        Args:
            passes: a tracker of the model's passes; with it padding is left alone. `steer` supplies one.

        Raises:
            InterventionError: ``positions="generated"`` or a number, without a tracker.
        """
        require_followed(self.positions, passes)
        if changes_nothing(self.operation, self.strength):
            return []
        planned = self.plan()
        hooks: list[Hook] = []
        for layer in sorted(set(self.experts.layer.tolist())):
            rows = np.flatnonzero(self.experts.layer == layer)
            function = neuron_hook(self.experts.neuron[rows], planned.only(rows), self.positions, passes)
            hooks.append((hook_name(layer, self.experts.site), function))
        return [keeping_norm(hook) for hook in hooks] if self.keep_norm else hooks

    def require_model(self, model: Model) -> None:
        """Refuse a model that the experts were not found in.

        Raises:
            ArtefactError: naming what differs.
        """
        self.experts.require_model(model)

    def save_pretrained(self, path: str | Path) -> Path:
        """Save as a folder (``steering.safetensors``, ``steering.json``), or as one file named ``*.safetensors``.

        Raises:
            InterventionError: the operation is a function, which cannot be saved.
            ArtefactError: the path cannot be written.
        """
        if not isinstance(self.operation, str):
            raise InterventionError(
                f"operation {operation_name(self.operation)!r} is a function, which cannot be saved; choose one of "
                f"{', '.join(OPERATIONS)}, or build the Steering again in the program that uses it"
            )
        arrays, header = self.experts.as_arrays()
        given = not isinstance(self.value, str)
        options = {
            "operation": self.operation,
            "value": None if given else self.value,
            "strength": float(self.strength),
            "positions": self.positions,
            "keep_norm": self.keep_norm,
        }
        extra = {"value": _values(self.experts, self.value)} if given else {}
        return save_artefact(path, "steering", {**arrays, **extra}, {**header, "steering": options})

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "Steering":
        """Load what `save_pretrained` wrote.

        Raises:
            ArtefactError: the artefact is missing, damaged, or not a steering.
        """
        arrays, header = load_artefact(path, "steering")
        experts = Experts.from_arrays(arrays, header, source=path)
        with complete(path, "steering"):
            options = dict(header["steering"])
            if options["value"] is None:
                options["value"] = arrays["value"]
            return cls(experts, **options)


def require_experts(experts: object) -> None:
    """Refuse anything but the experts of one language.

    Raises:
        InterventionError: it is something else.
    """
    if not isinstance(experts, Experts):
        raise InterventionError(f"expected Experts, got {type(experts).__name__}; they come from find_experts(...)")
    if len(experts.languages) != 1:
        raise InterventionError(
            f"these are experts of {len(experts.languages)} languages ({', '.join(experts.languages)}); "
            f"steer with those of one: experts[{experts.languages[0]!r}]"
        )


def _values(experts: Experts, value: object) -> Floats:
    """The value of every expert."""
    if isinstance(value, str):
        require_choice(value, (*VALUES, *TOKEN_VALUES), "value", InterventionError)
        return _token_values(experts, value) if value in TOKEN_VALUES else _sentence_values(experts, value)
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
            values = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        values = np.empty(0, dtype=np.float32)
    if values.shape != (experts.total,) or not np.isfinite(values).all():
        raise InterventionError(
            f"value {value!r:.80} is not known; choose one of {', '.join(map(repr, VALUES + TOKEN_VALUES))}, or give "
            f"{experts.total} finite numbers, one per expert"
        )
    return values


def _sentence_values(experts: Experts, value: str) -> Floats:
    return np.zeros(experts.total, dtype=np.float32) if value == "zero" else experts.statistics[value]


def _token_values(experts: Experts, value: str) -> Floats:
    if not set(TOKEN_COLUMNS) <= set(experts.statistics):
        raise InterventionError(
            f"value {value!r} needs means over tokens, which these experts do not have; collect them by collect_both "
            "and give them to select_experts(..., tokens=...), or use a scoring that needs them, such as 'lape'"
        )
    mean, others = (experts.statistics[name] for name in TOKEN_COLUMNS)
    return mean if value == "token_mean" else mean - others
