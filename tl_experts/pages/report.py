"""One HTML file that reports a study: verdict, setting, figures, tables. It opens without a network.

Whatever comes from outside (texts, names) is escaped with `html.escape`.
"""

import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tl_experts.analysis.distances import LEVELS, MEDOIDS
from tl_experts.experts.experts import Experts
from tl_experts.jobs.files import INSPECTOR_PAGE, write_text
from tl_experts.study import paper
from tl_experts.study.bench import Row
from tl_experts.study.config import StudyConfig
from tl_experts.study.result import StudyResult, records
from tl_experts.study.stages.retrieval import ALL
from tl_experts.study.verdict import power_note, verdict

if TYPE_CHECKING:
    import pandas as pd

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }
h1, h2, h3 { line-height: 1.2 } table { border-collapse: collapse; font-size: 14px; margin: .5rem 0 }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right } th { background: #f5f5f5 }
td:first-child, th:first-child { text-align: left } .wide { overflow-x: auto; max-height: 30rem; overflow-y: auto }
code { background: #f5f5f5; padding: .1rem .3rem } .note { color: #555; font-size: 14px }
"""

NOTES = {
    "baselines": "Methods without intervention, alone and combined with it. Top-1 with its 95% bootstrap interval.",
    "gains": "Paired bootstrap over sentences; p_holm is corrected over the table (Holm).",
    "gain_spread": "Over candidate languages, the target as query; the paper reports median and largest over all.",
    "layers": "Every layer without intervention; the best was chosen on the dev split.",
    "table1": "The paper's Table 1: mean over targets ± standard error.",
    "geometry": "Isotropy (even: 1; for the mean cosine: 0), language subspace, shares of variance.",
    "control_summary": "Other neurons instead of the experts; the experts' lead with its 95% interval.",
    "sweep": "The paper's Figure 3; k = 0 is without intervention. Language id: mean probability of the target.",
    "paraphrases": "The paper's Tables 3, 5 and 6; top1_hard: hard negatives among the candidates.",
    "pair_sets": "The paper's Table 7.",
    "correlations": "The paper's Table 2, Pearson's r over candidate languages with bootstrap intervals.",
    "silencing_summary": "How diagonal each scoring's silencing matrix is (at most 1; contrast: nats per token), "
    "beside that of random neurons of the same layers.",
    "stability": "Experts found on one half of the sentences, scored on the other; length: the number of tokens alone.",
}
"""The note above each table, in the order of the tables."""

HIDDEN = (
    "picture",
    "pair_distances",
    "retrieval",
    "mining",
    "pair_gains",
    "candidates",
    "overlap",
    "controls",
    "silencing",
)
"""Long tables, shown as figures or only saved as files."""


def write_report(result: StudyResult, path: str | Path | None = None) -> Path:
    """Write the report; default: ``report.html`` in the study's folder.

    Raises:
        ArtefactError: the path cannot be written.

    Examples:
        >>> from tl_experts import StudyResult
        >>> write_report(StudyResult.load("my-study"), "report.html")  # doctest: +SKIP
    """
    return write_text(path or result.folder / "report.html", report(result))


def report(result: StudyResult) -> str:
    """The report as HTML."""
    from plotly.offline import get_plotlyjs

    title = html.escape(f"Language experts of {result.config.model}: {result.config.name}")
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>',
        f"<script>{get_plotlyjs()}</script></head><body><h1>{title}</h1>",
        "<h2>Verdict</h2>",
        *(f"<p>{html.escape(paragraph)}</p>" for paragraph in verdict(result)),
        *_setting(result),
        "<h2>Figures</h2>",
        *(figure.to_html(full_html=False, include_plotlyjs=False, auto_play=False) for figure in _figures(result)),
        "<h2>Tables</h2>",
        *_tables(result),
        *_origin(result),
        "</body></html>",
    ]
    return "\n".join(parts)


def _figures(result: StudyResult) -> Iterable[Any]:
    """Every figure that the study has the tables for. Plotly is imported here to keep the command line fast."""
    from tl_experts import plots

    yield plots.baseline_bars(result)
    yield plots.retrieval_maps(result)
    yield plots.control_bars(result)
    yield plots.gain_against_distance(result)
    yield plots.distance_maps(result)
    yield plots.distance_bars(result)
    yield plots.isotropy_bars(result)
    yield plots.subspace_bars(result)
    for target in result.config.targets:
        yield plots.language_scatter(result, target)
    if "sweep" in result:
        yield plots.sweep_front(result)
    yield plots.layer_retrieval(result)
    if "silencing" in result:
        yield plots.silencing_maps(result)
    experts = Experts.from_pretrained(result.folder / "experts")
    chosen = {row["target"]: row["k"] for row in records(result["choice"])}
    yield plots.experts_heatmap(experts.head(min(chosen.values())))
    yield plots.expert_overlap(experts.head(min(chosen.values())))


def _setting(result: StudyResult) -> Iterable[str]:
    config, about = result.config, result.about
    counts = ", ".join(f"{row['target']} {row['k']} ({row['why']})" for row in records(result["choice"]))
    lines = [
        f"Model {config.model}, a {about['class']} of {about['layers']} layers, {config.dtype}.",
        f"Experts found at {config.site}, {config.pooling} pooling, by {config.metric}, on {about['probe_sentences']} "
        f"sentences in {', '.join(about['probe_languages'])} ({config.corpus}, {config.dev_split}).",
        f"Experts per target: {counts}. Each is set to its {config.value} response at every token.",
        f"Measured on {about['rows']} aligned rows in {', '.join(about['languages'])} ({config.test_split}); sentence "
        "vectors are means over the text's tokens of the last hidden state; no BOS, no padding.",
        f"Where the paper leaves a choice: distance between languages as {LEVELS[config.distance_level]!r}, medoid as "
        f"{MEDOIDS[config.medoid]!r}, responses pooled by {config.pooling}.",
        f"Intervals: {config.resamples} resamples of sentences, seed {config.seed}.",
    ]
    yield "<h2>Setting</h2><ul>"
    yield from (f"<li>{html.escape(line)}</li>" for line in lines)
    yield "</ul>"


def _tables(result: StudyResult) -> Iterable[str]:
    inspector = INSPECTOR_PAGE if (result.folder / INSPECTOR_PAGE).is_file() else None
    shown = [name for name in NOTES if name in result]
    rest = [name for name in result if name not in NOTES and name not in HIDDEN]
    for name in shown + rest:
        note = f"{NOTES.get(name, '')} {power_note(result, name)}".strip()
        yield f"<h3>{html.escape(name)}</h3><p class=note>{html.escape(note)}</p>"
        yield f"<div class=wide>{_html(beside_paper(result, name), inspector)}</div>"
    listed = ", ".join(name for name in HIDDEN if name in result)
    yield f"<p class=note>Also in the folder, as .csv and .parquet: {html.escape(listed)}.</p>"


def beside_paper(result: StudyResult, name: str) -> "pd.DataFrame":
    """A table, with the paper's printed values in extra columns if the model is one of its three."""
    table = result[name].copy()
    study = result.config.name
    if study not in paper.MODELS:
        return table
    if name == "table1":
        printed_distances = paper.printed_table1(study)
        for index, condition in enumerate(("pre", "post")):
            table[f"paper {condition}"] = [printed_distances[measure][index] for measure in table["measure"]]
    if name == "correlations":
        printed = paper.printed_correlations(study)
        table["paper"] = [printed.get(key) for key in zip(table["target"], table["of"], strict=True)]
    if name == "paraphrases":
        table["paper"] = [
            paper.printed_paraphrases(study, row["neurons"]).get((row["language"], row["condition"]))
            if row["language"] == row["target"]
            else None
            for row in records(table)
        ]
    if name == "gain_spread":
        printed_gains = paper.printed_gains(study)
        for column, printed_as in (("median", "median"), ("most", "max")):
            gain = printed_gains[printed_as]
            table[f"paper {column}"] = [gain if target == ALL else None for target in table["target"]]
    if name == "pair_sets":
        for condition in ("pre", "post"):
            table[f"paper {condition}"] = [_printed_pair(study, row, condition) for row in records(table)]
    return table


def _printed_pair(study: str, row: Row, condition: str) -> float | None:
    """The paper pairs each target with English and does not name the query; its value is shown for both."""
    if "en" not in (row["query"], row["candidate"]):
        return None
    return paper.printed_pair_sets(study, row["corpus"]).get((row["target"], condition))


def as_toml(config: StudyConfig) -> str:
    """All options except None, as `load_config` reads them. JSON's strings, numbers and lists are valid TOML."""
    options = {name: value for name, value in config.as_dict().items() if value is not None}
    return "\n".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in options.items()) + "\n"


def _html(table: "pd.DataFrame", inspector: str | None) -> str:
    """A table with every text escaped; languages link to their experts if the inspector's page exists."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    shown = table.copy()
    for column in shown.columns:
        if is_bool_dtype(shown[column]) or not is_numeric_dtype(shown[column]):
            linked = inspector if column in ("language", "target") else None
            shown[column] = [_cell(value, linked) for value in shown[column]]
    shown.columns = [html.escape(str(column)) for column in shown.columns]
    return str(shown.to_html(index=False, escape=False, border=0, na_rep="", float_format=lambda value: f"{value:.3f}"))


def _cell(value: object, inspector: str | None) -> str:
    text = "" if value is None else html.escape(str(value))
    if inspector is None or text in ("", ALL):
        return text
    return f'<a href="{inspector}#{quote(str(value))}" title="its experts in the inspector">{text}</a>'


def _origin(result: StudyResult) -> Iterable[str]:
    yield "<h2>How to reproduce it</h2>"
    yield "<p>Save these options as <code>study.toml</code> and run <code>tl-experts study study.toml</code>.</p>"
    yield f"<pre>{html.escape(as_toml(result.config))}</pre>"
    facts = {f"{key} fingerprint": value for key, value in result.about["model"].items()}
    facts |= {f"{split} corpus": result.about[split] for split in ("dev", "test")} | result.about["versions"]
    yield "<table>" + "".join(
        f"<tr><td>{html.escape(str(key))}</td><td>{html.escape(str(value))}</td></tr>" for key, value in facts.items()
    )
    yield "</table><table><tr><th>stage</th><th>seconds</th><th>peak MiB</th></tr>"
    for name, stage in result.stages.items():
        memory = "" if stage["peak_mib"] is None else f"{stage['peak_mib']:.0f}"
        yield f"<tr><td>{html.escape(name)}</td><td>{stage['seconds']:.1f}</td><td>{memory}</td></tr>"
    yield "</table>"
