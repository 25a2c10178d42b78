"""The demo's result as text: two tables and a line."""

from collections.abc import Sequence

from rich.table import Table

from tl_experts.cli.demo import DemoResult, PairRow

COLUMNS = ("before", "after", "random", "centred")
"""The accuracies of `PairRow`, in the order in which they are shown."""


def experts_table(result: DemoResult, k: int) -> Table:
    """For each language, the quality of its experts and their layers."""
    table = Table(title=f"Experts: the {k} neurons of highest AUROC per language", title_justify="left")
    table.add_column("language")
    for column in ("best AUROC", f"mean of {k}", "layers (quartiles)"):
        table.add_column(column, justify="right")
    for row in result.experts_table:
        table.add_row(row.language, f"{row.best_auroc:.4f}", f"{row.mean_auroc:.4f}", row.layers)
    return table


def retrieval_table(result: DemoResult, candidates: int) -> Table:
    """Retrieval before, after, with random neurons and with centring."""
    table = Table(
        title=f"Retrieval: top-1 in % of {candidates}, last layer; {result.target} experts set to their mean",
        title_justify="left",
        caption="random: as many random neurons at the experts' values, mean ± s.d. over seeds; "
        "centred: no intervention, each language's mean subtracted",
        caption_justify="left",
    )
    table.add_column("query → candidates")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for row in result.pairs:
        before, after, random, centred = _percentages([row])
        spread = f"{100 * row.random_spread:.1f}"
        table.add_row(f"{row.query} → {row.candidate}", before, after, f"{random} ± {spread}", centred)
    table.add_section()
    from_target = [row for row in result.pairs if row.query == result.target]
    to_target = [row for row in result.pairs if row.candidate == result.target]
    table.add_row(f"mean {result.target} → others", *_percentages(from_target))
    table.add_row(f"mean others → {result.target}", *_percentages(to_target))
    return table


def _percentages(rows: Sequence[PairRow]) -> list[str]:
    """The mean of each column over some rows."""
    return [f"{100 * sum(getattr(row, column) for row in rows) / len(rows):.1f}" for column in COLUMNS]


def distances_line(result: DemoResult) -> str:
    """The mean distances in one line."""
    parts = ", ".join(f"{name} {value:.3f}" for name, value in result.distances.items())
    return f"Mean cosine distance between {result.target} and the other languages: {parts}"
