"""The demo's result as tables for a terminal."""

from rich.table import Table

from tl_experts.demo import DemoResult


def experts_table(result: DemoResult, k: int) -> Table:
    """Of each language, how good its experts are and where they lie."""
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
    for column in ("before", "after", "random", "centred"):
        table.add_column(column, justify="right")
    for row in result.pairs:
        table.add_row(
            f"{row.query} → {row.candidate}",
            f"{100 * row.before:.1f}",
            f"{100 * row.after:.1f}",
            f"{100 * row.random:.1f} ± {100 * row.random_spread:.1f}",
            f"{100 * row.centred:.1f}",
        )
    table.add_section()
    for label, rows in (
        (f"mean {result.target} → others", [row for row in result.pairs if row.query == result.target]),
        (f"mean others → {result.target}", [row for row in result.pairs if row.candidate == result.target]),
    ):
        means = [
            100 * sum(getattr(row, c) for row in rows) / len(rows) for c in ("before", "after", "random", "centred")
        ]
        table.add_row(label, *[f"{mean:.1f}" for mean in means])
    return table


def distances_line(result: DemoResult) -> str:
    """The mean distances, in a line."""
    parts = ", ".join(f"{name} {value:.3f}" for name, value in result.distances.items())
    return f"Mean cosine distance between {result.target} and the other languages: {parts}"
