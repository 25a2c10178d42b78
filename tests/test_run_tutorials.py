"""The tutorials in short, as CI runs them: every cell, with smaller numbers and no other change."""

import re
from pathlib import Path

import nbformat
import pytest

from tests.run_tutorials import ROWS, shortened

NOTEBOOKS = sorted((Path(__file__).parents[1] / "tutorials").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_in_short_has_smaller_numbers_and_no_other_change(path):
    whole = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    short = shortened(whole)
    assert re.sub(r"\d+", "0", short) == re.sub(r"\d+", "0", whole)
    numbers = [[int(number) for number in re.findall(r"\d+", text)] for text in (short, whole)]
    assert all(few <= many for few, many in zip(*numbers, strict=True))
    assert max(map(int, re.findall(r'"bundled"[^\n]*(?:head\(|limit=)(\d+)', short)), default=0) <= ROWS
