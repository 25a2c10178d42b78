"""Tables of the silencing matrices of several scorings: what a study and a comparison report."""

from collections.abc import Mapping
from typing import Any

from tl_experts.analysis.diagonality import Diagonality
from tl_experts.steering.matrix import SilencingMatrix
from tl_experts.study.result import records

Row = dict[str, Any]


def silencing_tables(matrices: Mapping[str, SilencingMatrix]) -> dict[str, list[Row]]:
    """The tables of some matrices.

    Args:
        matrices: by scoring.

    Returns:
        ``silencing``: one row per scoring, silenced language and language of the text; ``silencing_summary``: one row
        per scoring that selects any neuron, with the diagonality of its matrix and of the random neurons'.
    """
    cells = [{"scoring": scoring, **row} for scoring, matrix in matrices.items() for row in records(matrix.to_pandas())]
    summary = [_summary(scoring, matrix) for scoring, matrix in matrices.items() if matrix.neurons.any()]
    return {"silencing": cells, "silencing_summary": summary}


def _summary(scoring: str, matrix: SilencingMatrix) -> Row:
    row: Row = {"scoring": scoring, "neurons": float(matrix.neurons.mean())}
    for name, found in (("", matrix.diagonality), ("control_", matrix.control_diagonality)):
        row |= {f"{name}{column}": value for column, value in _columns(found).items()}
    return row


def _columns(found: Diagonality) -> Row:
    return {
        "diagonality": found.value.value,
        "low": found.value.low,
        "high": found.value.high,
        "contrast": found.contrast.value,
        "contrast_low": found.contrast.low,
        "contrast_high": found.contrast.high,
        "own_largest": found.share,
    }
