"""What a search tries: settings, the space they are drawn from, and the budget."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise, product
from typing import Any, Self

from tl_experts.errors import TLExpertsError, require_choice, require_whole
from tl_experts.experts.scorings import SCORINGS
from tl_experts.steering.operations import OPERATIONS, require_strength
from tl_experts.steering.positions import Positions, positions_in_words, require_positions
from tl_experts.steering.steering import TOKEN_VALUES, VALUES

ALL = "all"
"""In place of a scoring: every neuron, shifted by its difference of token means."""

VECTOR = "vector"
"""In place of a scoring: the language vector of the residual stream."""

SHIFTS = (ALL, VECTOR)
"""What shifts whole layers: without a number of neurons, operation and value of their own."""

SHIFT = ("add", "diffmean")


@dataclass(frozen=True)
class Setting:
    """How a language is written: which neurons are chosen, how many, and how they are held.

    Raises:
        TLExpertsError: an option that is not defined, or that does not go with the others.

    Examples:
        >>> print(Setting("lape", 50, "add", "diffmean", strength=0.5))
        50 by lape, add 0.5 x diffmean, all positions
    """

    scoring: str
    """A name from `SCORINGS`; ``"all"``: every neuron; ``"vector"``: the residual stream."""

    count: int | None
    """Number of neurons; None for ``"all"`` and ``"vector"``."""

    operation: str = "add"
    value: str = "diffmean"
    strength: float = 1.0
    positions: Positions = "all"

    layers: tuple[int, ...] | None = None
    """None: every layer."""

    source: str | None = None
    """Of ``"all"`` and ``"vector"``: the language whose mean is subtracted; None: the mean of all others."""

    def __post_init__(self) -> None:
        """Check every option."""
        require_choice(self.scoring, (*SCORINGS, *SHIFTS), "scoring")
        require_choice(self.operation, OPERATIONS, "operation")
        require_choice(self.value, (*VALUES, *TOKEN_VALUES), "value")
        require_positions(self.positions, TLExpertsError)
        if self.shifts:
            if self.count is not None or (self.operation, self.value) != SHIFT:
                raise TLExpertsError(f"scoring {self.scoring!r} adds the diffmean of every neuron; leave count None")
        elif require_whole(self.count, "count") < 1:
            raise TLExpertsError(f"count is {self.count}; expected at least 1 neuron")
        elif self.source is not None:
            raise TLExpertsError(f"source is {self.source!r}; only scoring {ALL!r} and {VECTOR!r} take one")
        require_strength(f"operation {self.operation!r}", OPERATIONS[self.operation].bounds, self.strength)
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(self.layers))

    @property
    def shifts(self) -> bool:
        """Whether whole layers are shifted."""
        return self.scoring in SHIFTS

    def __str__(self) -> str:
        """The setting in a line."""
        what = {ALL: "all neurons", VECTOR: "language vector"}.get(self.scoring, f"{self.count} by {self.scoring}")
        layers = "" if self.layers is None else f", layers {', '.join(map(str, self.layers))}"
        source = "" if self.source is None else f" to {self.source}"
        positions = positions_in_words(self.positions)
        return f"{what}, {self.operation} {self.strength:g} x {self.value}{source}, {positions}{layers}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self) | {"layers": None if self.layers is None else list(self.layers)}

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "Setting":
        """What `to_dict` gave.

        Raises:
            TLExpertsError: something is missing, unknown, or not defined.
        """
        try:
            return cls(**document)
        except TypeError as error:
            raise TLExpertsError(f"{document!r:.200} is not a setting ({error}); create it again") from error


@dataclass(frozen=True)
class SearchSpace:
    r"""The options that are combined. Combinations that are not defined are left out.

    Raises:
        TLExpertsError: an option that is not defined, or no combination.

    Examples:
        >>> held = {"holds": (("set", "mean"),), "strengths": (1.0,), "positions": ("all", 4)}
        >>> space = SearchSpace(scorings=("lape",), counts=(5, 50), **held)
        >>> print(*space.settings(), sep="\n")
        5 by lape, set 1 x mean, all positions
        5 by lape, set 1 x mean, until 4 tokens are written
        50 by lape, set 1 x mean, all positions
        50 by lape, set 1 x mean, until 4 tokens are written
    """

    scorings: tuple[str, ...] = ("auroc", "token_mean_difference", "lape", ALL, VECTOR)
    counts: tuple[int, ...] = (1, 2, 5, 10, 20, 50, 100, 200, 500)

    holds: tuple[tuple[str, str], ...] = (
        ("set", "mean"),
        ("add", "mean"),
        ("raise", "mean"),
        ("set", "token_mean"),
        ("add", "diffmean"),
    )
    """Pairs of operation and value."""

    strengths: tuple[float, ...] = (0.1, 0.15, 0.2, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0)
    """Each operation takes those within its bounds."""

    positions: tuple[Positions, ...] = ("all", "generated", 2, 4, 8)
    """Numbers of tokens, after which the model goes on by itself, and what steers the whole text."""

    sources: tuple[str | None, ...] = (None, "en")
    """Of what shifts whole layers; the target itself is left out."""

    layers: tuple[tuple[int, ...] | None, ...] = (None,)

    vector_layers: tuple[tuple[int, ...] | None, ...] | None = None
    """Of language vectors; None: those of `layers`, or where these are the default, what `for_layers` gives."""

    def __post_init__(self) -> None:
        """Check that there is a combination, and that each is defined."""
        defaults = {field.name: field.default for field in fields(self)}
        for name, value in vars(self).items():
            if value is None and defaults[name] is None:
                continue
            if isinstance(value, str) or not isinstance(value, Sequence) or not value:
                raise TLExpertsError(f"{name} is {value!r}; expected a tuple of at least one option")
            object.__setattr__(self, name, tuple(value))
        if not all(isinstance(hold, tuple) and len(hold) == 2 for hold in self.holds):
            raise TLExpertsError(f"holds is {self.holds!r}; expected pairs such as ('add', 'diffmean')")
        if not all(isinstance(strength, int | float) for strength in self.strengths):
            raise TLExpertsError(f"strengths is {self.strengths!r}; expected numbers")
        if not self.settings():
            raise TLExpertsError(
                "no combination of these options is defined; is every strength beyond the bounds of its operation?"
            )

    def for_layers(self, layers: Sequence[int]) -> Self:
        """This space with language vectors at every layer at once, or at one layer before the last quarter.

        One well-chosen layer often writes best (CLaS-Bench: Gurgurov et al. 2026, arXiv 2601.08331); late layers decide
        the next token, and a vector there only repeats a few words. Options that were given stay.

        Args:
            layers: those whose residual stream was counted.

        Examples:
            >>> SearchSpace().for_layers(range(8)).vector_layers
            (None, (0,), (1,), (2,), (3,), (4,), (5,))
        """
        if self.vector_layers is not None or self.layers != (None,):
            return self
        ordered = sorted(layers)
        early = ordered[: max(1, len(ordered) * 3 // 4)]
        return replace(self, vector_layers=(None, *((layer,) for layer in early)))

    def settings(self) -> list[Setting]:
        """Every combination, in a fixed order."""
        found = []
        for scoring in self.scorings:
            shifts = scoring in SHIFTS
            for source, count, (operation, value), strength, positions, layers in product(
                self.sources if shifts else (None,),
                (None,) if shifts else self.counts,
                (SHIFT,) if shifts else self.holds,
                self.strengths,
                self.positions,
                self._layers(scoring),
            ):
                require_choice(operation, OPERATIONS, "operation")
                low, high = OPERATIONS[operation].bounds
                if low <= strength <= high:
                    found.append(Setting(scoring, count, operation, value, strength, positions, layers, source))
        return found

    def neighbours(self, setting: Setting) -> list[Setting]:
        """The settings one step away in strength, number of neurons, layer or positions (numbers, then the others)."""
        found = [replace(setting, strength=value) for value in _beside(self._within(setting), setting.strength)]
        if not setting.shifts:
            found += [replace(setting, count=value) for value in _beside(self.counts, setting.count)]
        if setting.layers is not None:
            options = [layers for layers in self._layers(setting.scoring) if layers is not None]
            found += [replace(setting, layers=value) for value in _beside(options, setting.layers)]
        positions = _at_both_sides(self._ordered_positions(), setting.positions)
        return found + [replace(setting, positions=value) for value in positions]

    def half_steps(self, setting: Setting) -> list[Setting]:
        """A setting with the strengths half way to the next lower and the next higher one.

        Args:
            setting: one of `settings`.

        Examples:
            >>> [one.strength for one in SearchSpace().half_steps(Setting("lape", 50, strength=1.0))]
            [0.85, 1.2]
        """
        own, beside = setting.strength, _beside(sorted(set(self._within(setting))), setting.strength)
        return [replace(setting, strength=value) for other in beside for value in _half_way(sorted((own, other)))]

    def _ordered_positions(self) -> list[Positions]:
        """Numbers of tokens, ascending, then what steers the whole text."""
        numbers = sorted(value for value in self.positions if isinstance(value, int))
        return [*numbers, *(value for value in self.positions if isinstance(value, str))]

    def _within(self, setting: Setting) -> list[float]:
        """The strengths that its operation takes."""
        low, high = OPERATIONS[setting.operation].bounds
        return [strength for strength in self.strengths if low <= strength <= high]

    def _layers(self, scoring: str) -> tuple[tuple[int, ...] | None, ...]:
        return self.layers if scoring != VECTOR or self.vector_layers is None else self.vector_layers


def _beside(options: Sequence[Any], value: Any) -> list[Any]:
    return _at_both_sides(sorted(options), value)


def _at_both_sides(ordered: Sequence[Any], value: Any) -> list[Any]:
    at = ordered.index(value)
    return [ordered[index] for index in (at - 1, at + 1) if 0 <= index < len(ordered)]


def _half_way(ordered: Sequence[float]) -> list[float]:
    # Rounded, so that a setting reads 0.85 and not 0.8500000000000001.
    return [round((low + high) / 2, 6) for low, high in pairwise(ordered)]
