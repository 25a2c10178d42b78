"""How far apart the languages of a space are: the measures of the paper's Table 1.

Source: Sundar et al. 2025, section 5. The text leaves open what the distance between two languages and the medoid are;
both readings are offered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.vectors import normalise, require_finite
from tl_experts.errors import TLExpertsError, require_choice

Level = Literal["sentences", "means"]
Medoid = Literal["sentence", "language"]
LEVELS = {
    "sentences": "mean cosine distance over all pairs of a sentence of one and a sentence of the other language",
    "means": "cosine distance between the two languages' mean vectors",
}
MEDOIDS = {
    "sentence": "the sentence nearest to all sentences of all languages",
    "language": "the mean vector of the language nearest to all languages",
}


@dataclass(frozen=True, eq=False)
class LanguageDistances:
    """Cosine distances (0 to 2) in one space."""

    languages: tuple[str, ...]
    between: Float[Tensor, "language language"]
    """Of the two languages; on the diagonal that of two different sentences of one (0 for level ``"means"``)."""
    to_medoid: Float[Tensor, " language"]
    """Of the language's mean vector to the medoid of the space."""

    def mean_pair(self) -> float:
        """The mean over pairs of different languages."""
        count = len(self.languages)
        return float((self.between.sum() - self.between.trace()) / (count * (count - 1)))

    def to(self, target: str) -> dict[str, float]:
        """Every other language's distance to one."""
        place = self._place(target)
        return {
            language: float(self.between[other, place])
            for other, language in enumerate(self.languages)
            if other != place
        }

    def table1(self, target: str) -> dict[str, float]:
        """The four rows of the paper's Table 1 for one target."""
        place = self._place(target)
        others = [other for other in range(len(self.languages)) if other != place]
        return {
            "all_pairs": self.mean_pair(),
            "target_to_medoid": float(self.to_medoid[place]),
            "nontarget_to_medoid": float(self.to_medoid[others].mean()),
            "nontarget_to_target": float(self.between[others, place].mean()),
        }

    def _place(self, target: str) -> int:
        require_choice(target, self.languages, "target", TLExpertsError)
        return self.languages.index(target)


def language_distances(
    vectors: Mapping[str, Tensor], *, level: Level = "sentences", medoid: Medoid = "sentence"
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
    require_finite(*vectors.values())
    units = [normalise(vector).double() for vector in vectors.values()]
    means = normalise(torch.stack([vector.double().mean(dim=0) for vector in vectors.values()])).double()
    # The mean of dot products over pairs is the dot product of the means: no matrix of pairs is made.
    sides = torch.stack([unit.mean(dim=0) for unit in units]) if level == "sentences" else means
    between = 1 - sides @ sides.T
    if level == "sentences":
        between.diagonal().copy_(torch.stack([_within(unit) for unit in units]))
    if medoid == "language":
        centre = means[int((1 - means @ means.T).sum(dim=1).argmin())]
    else:
        everything = torch.cat(units)
        centre = everything[int((everything @ everything.sum(dim=0)).argmax())]
    return LanguageDistances(tuple(vectors), between, 1 - means @ centre)


def _within(unit: Float[Tensor, "sentence dim"]) -> Float[Tensor, ""]:
    """The mean cosine distance of two different sentences of one language; 0 where there is but one."""
    count = len(unit)
    if count == 1:
        return unit.new_zeros(())
    # Of all pairs, less each sentence with itself.
    return 1 - (unit.sum(dim=0).square().sum() - unit.square().sum()) / (count * (count - 1))
