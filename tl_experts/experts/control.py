"""Random neurons instead of experts: the control of every intervention (Sundar et al. 2025, section 7)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tl_experts.errors import SelectionError

if TYPE_CHECKING:
    from tl_experts.experts.experts import Experts


def random_stream(seed: int, language: str, purpose: str) -> np.random.Generator:
    """A separate generator for each seed, language and purpose, so that their draws are independent.

    Raises:
        SelectionError: the seed is negative.
    """
    if seed < 0:
        raise SelectionError(f"seed is {seed}; expected 0 or more")
    return np.random.default_rng([seed, *f"{purpose}/{language}".encode()])


def control_columns(experts: "Experts", *, seed: int, match_layers: bool) -> NDArray[np.int64]:
    """A random candidate for each expert, without replacement within a language, none of its own experts.

    Args:
        experts: those that are replaced.
        seed: seed of the draw.
        match_layers: each is drawn from the expert's own layer; False: from any layer.

    Returns:
        Columns of ``experts.candidates``.

    Raises:
        SelectionError: more experts than other neurons, or a negative seed.
    """
    table = experts.candidates
    columns = np.empty(experts.total, dtype=np.int64)
    for index, language in enumerate(experts.languages):
        mine = np.flatnonzero(experts.language_of == index)
        stream = random_stream(seed, language, "control")
        free = np.setdiff1d(np.arange(table.total), table.columns_of(experts.layer[mine], experts.neuron[mine]))
        for layer in sorted(set(experts.layer[mine].tolist())) if match_layers else [None]:
            rows = mine if layer is None else mine[experts.layer[mine] == layer]
            pool = free if layer is None else free[table.layer_of[free] == layer]
            if len(pool) < len(rows):
                where = "" if layer is None else f" of layer {layer}"
                raise SelectionError(f"{len(rows)} {language} experts{where} leave {len(pool)} other neurons; lower k")
            columns[rows] = stream.choice(pool, size=len(rows), replace=False)
    return columns
