"""The demo's tables and line show the numbers of its result."""

from io import StringIO
from types import SimpleNamespace

from rich.console import Console

from tl_experts.cli.demo import ExpertsRow, PairRow
from tl_experts.cli.demo_tables import distances_line, experts_table, retrieval_table

RESULT = SimpleNamespace(
    target="es",
    experts_table=(ExpertsRow("es", 0.99991, 0.95, "1 | 2 | 3"),),
    pairs=(
        PairRow("es", "en", 0.1, 0.2, 0.15, 0.015, 0.3),
        PairRow("es", "de", 0.3, 0.6, 0.25, 0.0, 0.5),
        PairRow("en", "es", 0.0, 1.0, 0.5, 0.1, 0.75),
    ),
    distances={"before": 0.8191, "after": 0.027},
)


def cells(table) -> list[list[str]]:
    """The rows of a table as printed."""
    console = Console(file=StringIO(), width=200)
    console.print(table)
    lines = console.file.getvalue().splitlines()
    return [[cell.strip() for cell in line.strip("│┃ ").split("│")] for line in lines if line.startswith("│")]


def test_the_table_of_experts_has_a_row_per_language():
    assert cells(experts_table(RESULT, 5)) == [["es", "0.9999", "0.9500", "1 | 2 | 3"]]


def test_the_table_of_retrieval_has_percentages_and_their_means():
    assert cells(retrieval_table(RESULT, 120)) == [
        ["es → en", "10.0", "20.0", "15.0 ± 1.5", "30.0"],
        ["es → de", "30.0", "60.0", "25.0 ± 0.0", "50.0"],
        ["en → es", "0.0", "100.0", "50.0 ± 10.0", "75.0"],
        ["mean es → others", "20.0", "40.0", "20.0", "40.0"],
        ["mean others → es", "0.0", "100.0", "50.0", "75.0"],
    ]


def test_the_line_names_every_distance():
    line = distances_line(RESULT)
    assert line == "Mean cosine distance between es and the other languages: before 0.819, after 0.027"
