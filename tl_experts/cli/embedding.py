"""`tl-experts embed` and `tl-experts retrieve`: sentences in files to vectors, or to accuracies, in files."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tl_experts.cli.groups import Machine, Sentences, Vectors
from tl_experts.cli.options import Json, ModelName, Quiet
from tl_experts.cli.output import Output
from tl_experts.cli.steered import Steered
from tl_experts.errors import require_choice

if TYPE_CHECKING:
    from tl_experts.corpus.sentences import Corpus
    from tl_experts.embeddings.embeddings import Embeddings

FORMATS = (".parquet", ".npy")


def embed(
    source: Sentences,
    machine: Machine,
    steered: Steered,
    vectors: Vectors,
    model: ModelName,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A .parquet (language, row, text, vector) or .npy file (vectors).")
    ],
    language: Annotated[
        str | None, typer.Option(help="Language of all sentences, where --sentences is a file with one a line.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write one vector per sentence: the mean of a layer's hidden states over the sentence's tokens."""
    suffix = output.suffix.lower()
    if suffix not in FORMATS:
        raise typer.BadParameter(f"{output}; expected a name that ends in .parquet or .npy", param_hint="--output")
    steered.check()
    corpus = source.load(None if language is None else {language: source.sentences}, min_languages=1)
    embeddings, line = embedded(model, corpus, machine, steered, vectors, progress=not quiet)
    found = embeddings.vectors.numpy()
    if suffix == ".npy":
        from tl_experts.jobs.arrays import write_array

        write_array(output, found)
    else:
        from tl_experts.jobs.tables import write_parquet

        columns = {"language": corpus.labels, "row": corpus.rows, "text": corpus.texts, "vector": found}
        write_parquet(output, columns)
    out = Output(as_json=as_json)
    rows, width = found.shape
    out.finish({"output": output, "sentences": rows, "dimensions": width, "counts": corpus.counts, "steering": line})
    out.say(f"{rows} vectors of {width} numbers: {output}" + (f"\nsteered: {line}" if line else ""))


def retrieve(
    source: Sentences,
    machine: Machine,
    steered: Steered,
    vectors: Vectors,
    model: ModelName,
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV file with the accuracies of each pair.")],
    queries: Annotated[str | None, typer.Option(help="Only from these languages, such as es,fr.")] = None,
    candidates: Annotated[str | None, typer.Option(help="Only to these languages.")] = None,
    measure: Annotated[str, typer.Option(help="Similarity: cosine, csls or margin.")] = "cosine",
    matches: Annotated[
        Path | None, typer.Option(help="CSV file with each query, its nearest sentence and the rank of the right one.")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Find the translation of every sentence by its vector, and write how often it is the nearest."""
    steered.check()
    corpus = source.load()
    pairs, aligned = _pairs(corpus, queries, candidates)

    import torch

    from tl_experts.analysis.retrieval import MEASURES, scores_of_ranks
    from tl_experts.jobs.tables import write_table

    require_choice(measure, MEASURES, "--measure")
    found, line = embedded(model, corpus, machine, steered, vectors, progress=not quiet)
    rows: list[tuple[Any, ...]] = []
    table = []
    for pair in pairs:
        own = list(_matched(found, aligned, pair, measure))
        scores = scores_of_ranks(torch.tensor([row[-1] for row in own]))
        table.append((*pair, len(own), scores.top1, scores.top5, scores.mrr))
        rows += own
    columns = ["query", "candidate", "rows", "top1", "top5", "mrr"]
    write_table(output, columns, table)
    if matches is not None:
        write_table(matches, ["query", "candidate", "row", "text", "nearest", "rank"], rows)
    out = Output(as_json=as_json)
    results = [dict(zip(columns, row, strict=True)) for row in table]
    out.finish({"output": output, "matches": matches, "pairs": results, "steering": line})
    out.console.print(_table(table))
    out.say(f"Saved: {output}" + (f", {matches}" if matches else "") + (f"\nsteered: {line}" if line else ""))


def embedded(
    model: str,
    corpus: "Corpus",
    machine: Machine,
    steered: Steered,
    vectors: Vectors,
    *,
    progress: bool,
) -> tuple["Embeddings", str | None]:
    """The vectors of a corpus, and a line that says how the model was steered.

    Args:
        model: its name.
        corpus: the sentences.
        machine: what the model runs on.
        steered: how it is steered, if at all.
        vectors: which vectors stand for the sentences.
        progress: show progress bars.
    """
    loaded = machine.load(model)
    block, line = steered.block(loaded, model, progress=progress)
    with block:
        return vectors.embed(loaded, corpus, progress=progress), line


def _pairs(
    corpus: "Corpus", queries: str | None, candidates: str | None
) -> tuple[list[tuple[str, str]], dict[str, list[int]]]:
    """The ordered pairs of languages, and the sentences that all of these languages have.

    An unknown language is refused before the model is loaded.
    """
    given = [corpus.languages if text is None else text.split(",") for text in (queries, candidates)]
    ones, others = ([corpus[code.strip()].languages[0] for code in codes] for codes in given)
    aligned = corpus.parallel(list(dict.fromkeys([*ones, *others])))
    pairs = [(one, other) for one in ones for other in others if one != other]
    if not pairs:
        raise typer.BadParameter("no pair of two languages is left", param_hint="--queries and --candidates")
    return pairs, aligned


def _matched(
    found: "Embeddings", aligned: dict[str, list[int]], pair: tuple[str, str], measure: Any
) -> Iterator[tuple[Any, ...]]:
    """For each query: its languages, row, text, the nearest sentence, and how many are nearer than the right one."""
    from tl_experts.analysis.retrieval import cosine_similarity, scored, translation_ranks

    corpus, (one, other) = found.corpus, pair
    similarity = scored(cosine_similarity(found.vectors[aligned[one]], found.vectors[aligned[other]]), measure)
    nearest = similarity.argmax(dim=1).tolist()
    for number, rank in enumerate(translation_ranks(similarity).tolist()):
        query, match = aligned[one][number], aligned[other][nearest[number]]
        yield one, other, corpus.rows[query], corpus.texts[query], corpus.texts[match], rank


def _table(rows: list[tuple[Any, ...]]) -> Any:
    from rich.table import Table

    table = Table(title="Retrieval: % of queries whose translation is among the nearest", title_justify="left")
    table.add_column("query → candidates")
    for column in ("rows", "top 1", "top 5", "mean reciprocal rank"):
        table.add_column(column, justify="right")
    for one, other, count, top1, top5, mrr in rows:
        table.add_row(f"{one} → {other}", f"{count}", f"{100 * top1:.1f}", f"{100 * top5:.1f}", f"{mrr:.3f}")
    return table
