"""One HTML page that reports a comparison: what wins, figures, the tables. It opens without a network."""

import html
from pathlib import Path
from typing import TYPE_CHECKING

from tl_experts.jobs.files import REPORT_PAGE, write_text
from tl_experts.pages.reporting.columns import title_of
from tl_experts.pages.reporting.figures import Picture
from tl_experts.pages.reporting.page import Section, page
from tl_experts.pages.reporting.tables import inspector_page, table_section, tables_data
from tl_experts.steering.wording import in_words, scoring_in_words
from tl_experts.study.comparison.conclusion import findings
from tl_experts.study.comparison.headline import opening, purposes
from tl_experts.study.comparison.result import CompareResult
from tl_experts.study.comparison.views import ALL

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "writing": "target method share quality score perplexity natural_perplexity distinct compression reads_well "
    "example",
    "equal": "target method kl budget dev_score share quality score perplexity reads_well example",
    "divergence": "target method setting tuned texts share dev_score kl low high",
    "alignment": "target languages method view layer rank dev_top1 top1 low high from_target to_target gain gain_low "
    "gain_high p detectable",
    "spaces": "target languages method view mexa translation_distance language_distance mean_cosine isoscore",
    "costs": "target method language change low high",
    "silencing_summary": "scoring neurons diagonality low high control_diagonality control_low control_high",
    "romanised": "target method view layer cyrillic cyrillic_low cyrillic_high romanised romanised_low romanised_high "
    "from_romanised to_romanised itself gain gain_low gain_high p",
    "romanised_experts": "target neurons auroc_cyrillic auroc_romanised separate_cyrillic separate_romanised",
}
"""The columns of each table that are shown; its file has all."""

NOTES = {
    "writing": "Each method at the best setting of its own search, on prompts that chose none.",
    "equal": "Each method at its best setting within a common KL divergence, on prompts that chose none.",
    "divergence": "The best settings of every search, and how far each moves the model in other languages.",
    "alignment": "Setting, layer and rank chosen on the dev split. Gain: over the best baseline; p is not corrected.",
    "spaces": "The same vectors as above. Compare rows of the same languages: isotropy depends on their number.",
    "costs": "At the setting for writing; above 0, the text is predicted worse.",
    "silencing_summary": "The same number of neurons by every scoring, beside as many random ones of the same layers.",
    "romanised": "Top-1 between the target and the other languages, both ways, at the settings and layers of the table "
    "above on retrieval; p is not corrected.",
    "romanised_experts": "The target's neurons of highest AUROC on the dev split, measured on the test split.",
}


def write_comparison(result: CompareResult, path: str | Path | None = None) -> Path:
    """Write the page; default: ``report.html`` in the comparison's folder.

    Raises:
        ArtefactError: the path cannot be written.

    Examples:
        >>> from tl_experts import CompareResult
        >>> write_comparison(CompareResult.load("my-comparison"), "report.html")  # doctest: +SKIP
    """
    return write_text(path or result.folder / REPORT_PAGE, comparison_page(result))


def comparison_page(result: CompareResult) -> str:
    """The page as HTML."""
    drawn = _pictures(result)
    inspector = inspector_page(result.folder)
    tables = {name: _shown(result, name) for name in COLUMNS if name in result}
    writing, *others = drawn
    return page(
        f"Methods compared: {result.config.model}",
        _first_screen(result) + writing.section("h2"),
        [
            Section(
                "figures",
                "Figures",
                "".join(picture.section() for picture in others),
                tuple((f"figure-{picture.name}", picture.title) for picture in others),
            ),
            Section("findings", "Findings", "".join(f"<p>{html.escape(text)}</p>" for text in findings(result))),
            Section(
                "tables",
                "Tables",
                "\n".join(table_section(name, table, NOTES[name], inspector) for name, table in tables.items()),
                tuple((f"table-{name}", title_of(name)) for name in tables),
            ),
        ],
        {
            "figures": {picture.name: picture.document() for picture in drawn},
            **tables_data(tables, inspector),
        },
    )


def _first_screen(result: CompareResult) -> str:
    """Whether anything beats the baselines, and a line on what wins for each purpose."""
    found = purposes(result)
    lines = "".join(f"<li><b>{html.escape(one.name.capitalize())}</b>: {html.escape(one.says)}.</li>" for one in found)
    return f'<p class="lead">{html.escape(opening(found))}.</p><ul class="purposes">{lines}</ul>'


def _pictures(result: CompareResult) -> list[Picture]:
    """Plotly is imported here to keep the command line fast."""
    from tl_experts import plots

    writing = Picture(
        "writing",
        "Which method writes the language",
        "Up and to the right is better: more texts in the language, read as naturally as the model's own.",
        {"": plots.writing_front(result)},
    )
    retrieval = Picture(
        "retrieval",
        "Which method brings translations together",
        "Longer bars are better. Solid line: the best baseline, without neurons. Dashed line: multilingual-e5-small, a "
        "sentence encoder, if it was measured. Whiskers: 95% intervals.",
        {
            target if languages == ALL else f"{target}, {languages}": plots.alignment_bars(
                result, target, languages=languages
            )
            for languages in result["alignment"]["languages"].unique()
            for target in result.config.targets
        },
    )
    cost, cause, layers = [], [], []
    if "equal" in result:
        cost = [
            Picture(
                "cost",
                "What writing the language costs",
                "Up and to the left is better. Filled points: the best setting of a method. Dashed line: the cost at "
                "which methods are compared.",
                {target: plots.cost_front(result, target) for target in dict.fromkeys(result["equal"]["target"])},
            )
        ]
    if "layers" in result:
        layers = [
            Picture(
                "layers",
                "Where in the model translations are aligned",
                "Higher is better. Thick grey line: without intervention. Other lines: the best intervention of each "
                "target, chosen on the dev split.",
                {"": plots.mexa_layers(result)},
            )
        ]
    if "silencing" in result:
        cause = [
            Picture(
                "silencing",
                "Which scoring finds the neurons that matter",
                "A dark diagonal and a pale rest mean that text in a language needs its own neurons and no others.",
                {"": plots.silencing_maps(result)},
            )
        ]
    return [writing, *cost, retrieval, *layers, *cause]


def _shown(result: CompareResult, name: str) -> "pd.DataFrame":
    """The columns that are shown, methods and scorings in words."""
    table = result[name]
    table = table[[column for column in COLUMNS[name].split() if column in table]]
    words = {"method": in_words, "scoring": scoring_in_words}
    return table.assign(**{column: table[column].map(words[column]) for column in words if column in table})
