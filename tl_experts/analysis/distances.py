"""Distances between the languages of an embedding space: the measures of the paper's Table 1.

Source: Sundar et al. 2025, section 5. The text does not define the distance between two languages, or the medoid;
both readings are offered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from einops import einsum, reduce
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.arrays import Array, as_tensors
from tl_experts.analysis.vectors import normalise, require_finite
from tl_experts.errors import TLExpertsError, require_choice

Level = Literal["sentences", "means"]
Medoid = Literal["sentence", "language"]
LEVELS: dict[str, str] = dict(
    zip(
        get_args(Level),
        (
            "mean cosine distance over all pairs of a sentence of one and a sentence of the other language",
            "cosine distance between the two languages' mean vectors",
        ),
        strict=True,
    )
)
MEDOIDS: dict[str, str] = dict(
    zip(
        get_args(Medoid),
        (
            "the sentence nearest to all sentences of all languages",
            "the mean vector of the language nearest to all languages",
        ),
        strict=True,
    )
)


@dataclass(frozen=True, eq=False)
class LanguageDistances:
    """Cosine distances (0 to 2) in one space."""

    languages: tuple[str, ...]
    between: Float[Tensor, "language language"]
    """Distance between two languages; on the diagonal, between two different sentences of one language (0 for level
    ``"means"``)."""
    to_medoid: Float[Tensor, " language"]
    """Distance from each language's mean vector to the medoid of the space."""

    def mean_pair(self) -> float:
        """The mean over pairs of different languages."""
        count = len(self.languages)
        return float((self.between.sum() - self.between.trace()) / (count * (count - 1)))

    def to(self, target: str) -> dict[str, float]:
        """The distance from every other language to one."""
        column = self._index(target)
        return {
            language: float(self.between[row, column]) for row, language in enumerate(self.languages) if row != column
        }

    def table1(self, target: str) -> dict[str, float]:
        """The four rows of the paper's Table 1 for one target."""
        column = self._index(target)
        others = [row for row in range(len(self.languages)) if row != column]
        return {
            "all_pairs": self.mean_pair(),
            "target_to_medoid": float(self.to_medoid[column]),
            "nontarget_to_medoid": float(self.to_medoid[others].mean()),
            "nontarget_to_target": float(self.between[others, column].mean()),
        }

    def _index(self, target: str) -> int:
        require_choice(target, self.languages, "target", TLExpertsError)
        return self.languages.index(target)


def language_distances(
    vectors: Mapping[str, Float[Array, "..."]], *, level: Level = "sentences", medoid: Medoid = "sentence"
) -> LanguageDistances:
    """Distances between languages and to the medoid of the space.

    Args:
        vectors: language to ``[sentence dim]``.
        level: one of `LEVELS`.
        medoid: one of `MEDOIDS`.

    Raises:
        TLExpertsError: fewer than two languages, an unknown option, or a value that is not finite.
    """
    require_choice(level, LEVELS, "level", TLExpertsError)
    require_choice(medoid, MEDOIDS, "medoid", TLExpertsError)
    if len(vectors) < 2:
        raise TLExpertsError(f"{len(vectors)} language(s); distances need two or more")
    spaces = as_tensors(vectors)
    require_finite(*spaces.values())
    units = [normalise(space).double() for space in spaces.values()]
    means = normalise(torch.stack([_mean(space.double()) for space in spaces.values()])).double()
    # The mean of dot products over pairs is the dot product of the means: no matrix of pairs is computed.
    sides = torch.stack([_mean(unit) for unit in units]) if level == "sentences" else means
    between = 1 - _products(sides)
    if level == "sentences":
        between.diagonal().copy_(torch.stack([_within(unit) for unit in units]))
    return LanguageDistances(tuple(vectors), between, 1 - means @ _medoid(units, means, medoid))


def translation_distance(vectors: Mapping[str, Float[Array, "..."]]) -> float:
    """The mean cosine distance between translations, over all pairs of languages (0 to 2).

    Args:
        vectors: language to ``[sentence dim]``, row by row translations of each other.

    Raises:
        TLExpertsError: fewer than two languages, languages of different shapes, or a value that is not finite.

    Examples:
        >>> translation_distance({"en": torch.eye(2), "fr": torch.tensor([[2.0, 0.0], [1.0, 0.0]])})
        0.5
    """
    if len(vectors) < 2:
        raise TLExpertsError(f"{len(vectors)} language(s); distances need two or more")
    spaces = as_tensors(vectors)
    shapes = {tuple(space.shape) for space in spaces.values()}
    if len(shapes) != 1:
        raise TLExpertsError(f"vectors of shapes {sorted(shapes)}; give aligned rows, the same in every language")
    require_finite(*spaces.values())
    units = torch.stack([normalise(space).double() for space in spaces.values()])
    # The squared length of a row's sum holds every ordered pair of its translations, and each with itself.
    total = reduce(units, "language sentence dim -> sentence dim", "sum").square().sum()
    languages, sentences, _ = units.shape
    return 1 - float(total - units.square().sum()) / (sentences * languages * (languages - 1))


def _medoid(
    units: list[Float[Tensor, "_ dim"]], means: Float[Tensor, "language dim"], medoid: Medoid
) -> Float[Tensor, " dim"]:
    if medoid == "language":
        distances = reduce(1 - _products(means), "language other -> language", "sum")
        return means[int(distances.argmin())]
    everything = torch.cat(units)
    similarity = everything @ reduce(everything, "sentence dim -> dim", "sum")
    return everything[int(similarity.argmax())]


def _mean(vectors: Float[Tensor, "sentence dim"]) -> Float[Tensor, " dim"]:
    return reduce(vectors, "sentence dim -> dim", "mean")


def _products(vectors: Float[Tensor, "language dim"]) -> Float[Tensor, "language language"]:
    return einsum(vectors, vectors, "language dim, other dim -> language other")


def _within(unit: Float[Tensor, "sentence dim"]) -> Float[Tensor, ""]:
    """The mean cosine distance of two different sentences of one language; 0 for a single sentence."""
    count = len(unit)
    if count == 1:
        return unit.new_zeros(())
    # All pairs, minus each sentence paired with itself.
    total = reduce(unit, "sentence dim -> dim", "sum")
    return 1 - (total.square().sum() - unit.square().sum()) / (count * (count - 1))
