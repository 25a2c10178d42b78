"""One HTML file that reports a study: verdict, setting, figures, tables. It opens without a network.

Whatever comes from outside (texts, names) is escaped with `html.escape`.
"""

import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tl_experts.analysis.distances import LEVELS, MEDOIDS
from tl_experts.jobs.files import REPORT_PAGE, write_text
from tl_experts.pages.reporting.columns import title_of
from tl_experts.pages.reporting.figures import method_picture, pictures
from tl_experts.pages.reporting.page import Section, page
from tl_experts.pages.reporting.summary import NOTE, first_screen
from tl_experts.pages.reporting.tables import inspector_page, table_section, tables_data
from tl_experts.study import paper
from tl_experts.study.bench import Row
from tl_experts.study.config import StudyConfig
from tl_experts.study.result import StudyResult, records
from tl_experts.study.stages.retrieval import ALL
from tl_experts.study.verdict import power_note, verdict

if TYPE_CHECKING:
    import pandas as pd

NOTES = {
    "baselines": "Methods without intervention, alone and combined with it. Top-1 with its 95% bootstrap interval.",
    "gains": "Paired bootstrap over sentences; the corrected p is Holm's over the table.",
    "gain_spread": "Over candidate languages, the target as query; the paper reports median and largest over all.",
    "layers": "Every layer without intervention; the best was chosen on the dev split.",
    "table1": "The paper's Table 1: mean over targets ± standard error.",
    "geometry": "Isotropy (even: 1; for the mean cosine: 0), language subspace, shares of variance.",
    "control_summary": "Other neurons instead of the experts; the experts' lead with its 95% interval.",
    "sweep": "The paper's Figure 3; k = 0 is without intervention. Language id: mean probability of the target. "
    "Fluency, distinct, compression: of the free generations, their median perplexity without intervention, share of "
    "different bigrams and compression ratio. Repeats: the last two are below 0.9 of those of the model's own texts in "
    "the language.",
    "paraphrases": "The paper's Tables 3, 5 and 6; top1_hard: hard negatives among the candidates.",
    "pair_sets": "The paper's Table 7.",
    "correlations": "The paper's Table 2, Pearson's r over candidate languages with bootstrap intervals.",
    "silencing_summary": "How diagonal each scoring's silencing matrix is (at most 1; contrast: nats per token), "
    "beside that of random neurons of the same layers.",
    "stability": "Experts found on one half of the sentences, scored on the other; length: the number of tokens alone.",
}
"""The note above each table, in the order of the tables."""

FINDINGS = ("Which method wins", "Gain of the intervention", "Distances", "Is it the experts?", "Stability")
"""The headings of the verdict's paragraphs."""

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
    return write_text(path or result.folder / REPORT_PAGE, report(result))


def report(result: StudyResult) -> str:
    """The report as HTML."""
    first = method_picture(result)
    drawn = list(pictures(result))
    shown = _shown(result)
    name, model = result.config.name, result.config.model
    sections = [
        Section("findings", "Findings", _findings(result)),
        Section("setting", "Setting", "".join(_setting(result))),
        Section(
            "figures",
            "Figures",
            "\n".join(picture.section() for picture in drawn),
            tuple((f"figure-{picture.name}", picture.title) for picture in drawn),
        ),
        Section(
            "tables",
            "Tables",
            "\n".join(_tables(result)),
            tuple((f"table-{table}", title_of(table)) for table in shown),
        ),
        Section("reproduce", "How to reproduce it", "".join(_origin(result))),
    ]
    return page(
        f"Language experts of {model}" + (f": {name}" if name != model else ""),
        f'{first_screen(result)}\n{first.section("h2")}<p class="note">{html.escape(NOTE)}</p>',
        sections,
        {
            "figures": {picture.name: picture.document() for picture in (first, *drawn)},
            **tables_data({table: beside_paper(result, table) for table in shown}, inspector_page(result.folder)),
        },
    )


def _findings(result: StudyResult) -> str:
    return "\n".join(
        f"<h3>{html.escape(title)}</h3><p>{html.escape(paragraph)}</p>"
        for title, paragraph in zip(FINDINGS, verdict(result), strict=True)
    )


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
    yield "<ul>"
    yield from (f"<li>{html.escape(line)}</li>" for line in lines)
    yield "</ul>"


def _shown(result: StudyResult) -> list[str]:
    """The names of the tables in the report."""
    described = [name for name in NOTES if name in result]
    return described + [name for name in result if name not in NOTES and name not in HIDDEN]


def _tables(result: StudyResult) -> Iterable[str]:
    for name in _shown(result):
        note = f"{NOTES.get(name, '')} {power_note(result, name)}".strip()
        yield table_section(name, beside_paper(result, name), note, inspector_page(result.folder))
    listed = ", ".join(name for name in HIDDEN if name in result)
    yield f'<p class="note">Also in the folder, as .csv and .parquet: {html.escape(listed)}.</p>'


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


def _origin(result: StudyResult) -> Iterable[str]:
    yield "<p>Save these options as <code>study.toml</code> and run <code>tl-experts study study.toml</code>.</p>"
    yield f'<pre tabindex="0">{html.escape(as_toml(result.config))}</pre>'
    facts = {f"{key} fingerprint": value for key, value in result.about["model"].items()}
    facts |= {f"{split} corpus": result.about[split] for split in ("dev", "test")} | result.about["versions"]
    yield '<table class="facts">' + "".join(
        f"<tr><td>{html.escape(str(key))}</td><td>{html.escape(str(value))}</td></tr>" for key, value in facts.items()
    )
    yield '</table><table class="facts"><tr><th>stage</th><th>seconds</th><th>peak MiB</th></tr>'
    for name, stage in result.stages.items():
        memory = "" if stage["peak_mib"] is None else f"{stage['peak_mib']:.0f}"
        yield f"<tr><td>{html.escape(name)}</td><td>{stage['seconds']:.1f}</td><td>{memory}</td></tr>"
    yield "</table>"
