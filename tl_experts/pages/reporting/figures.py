"""The figures of a report: each with a title, a sentence of what to see, and one or more views to choose from."""

import html
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tl_experts.experts.experts import Experts
from tl_experts.study.result import StudyResult, records


@dataclass(frozen=True)
class Picture:
    """A figure of the report."""

    name: str
    """Its anchor, after "figure-"."""

    title: str

    caption: str
    """What to see."""

    views: Mapping[str, Any]
    """Plotly figures by the words of the menu; with a single one there is no menu."""

    def section(self, heading: str = "h3") -> str:
        """The figure as HTML, to be drawn by the page's script; on the first screen, with a heading ``"h2"``."""
        return (
            f'<figure id="figure-{html.escape(self.name)}"><{heading}>{html.escape(self.title)}</{heading}>'
            f'<div class="plot" data-figure="{html.escape(self.name)}"></div>'
            f"<figcaption>{html.escape(self.caption)}</figcaption></figure>"
        )

    def document(self) -> list[list[Any]]:
        """The script's input: the label and plotly's JSON of every view."""
        return [[label, json.loads(figure.to_json())] for label, figure in self.views.items()]


def method_picture(result: StudyResult) -> Picture:
    """The figure of the first screen."""
    from tl_experts import plots

    return Picture(
        "methods",
        "Which method retrieves most translations",
        "Longer bars are better. Hatched bars set the experts. Whiskers: 95% intervals over sentences; marks: single "
        "targets.",
        {"": plots.method_bars(result)},
    )


def pictures(result: StudyResult) -> Iterator[Picture]:
    """Every other figure that the study has the tables for."""
    yield from _retrieval(result)
    yield from _space(result)
    yield from _experts(result)


def _retrieval(result: StudyResult) -> Iterator[Picture]:
    """Plotly is imported inside functions to keep the command line fast."""
    from tl_experts import plots

    yield Picture(
        "baselines",
        "The intervention and baselines without it, for each target",
        "Compare hatched bars (after the intervention) with plain bars of other colours (methods that need none).",
        {"": plots.baseline_bars(result)},
    )
    yield Picture(
        "retrieval",
        "Retrieval between every two languages",
        "Rows are queries, columns candidates. In the third map, one colour is a gain and the other a loss: the "
        "target's row and column change most if the intervention acts on the target.",
        {"": plots.retrieval_maps(result)},
    )
    yield Picture(
        "controls",
        "Is it the experts?",
        "If the experts matter, their bars are higher than those of every other set of neurons. Whiskers: standard "
        "deviation over draws; sets that are drawn once have none.",
        {"": plots.control_bars(result)},
    )
    yield Picture(
        "gain-distance",
        "Gain against reduction of distance",
        "One point for each candidate language. A rising line means that languages which come closer also gain more; "
        "the band is its 95% interval.",
        {"": plots.gain_against_distance(result)},
    )
    yield Picture(
        "layers",
        "Every layer without intervention",
        "The circle marks the layer that is best on the dev split; a middle layer often beats the last one.",
        {"": plots.layer_retrieval(result)},
    )


def _space(result: StudyResult) -> Iterator[Picture]:
    from tl_experts import plots

    yield Picture(
        "distance-maps",
        "Distance between every two languages",
        "Darker cells before and after are closer languages; the third map shows how much closer each pair has come.",
        {"": plots.distance_maps(result)},
    )
    yield Picture(
        "distances",
        "Distances, mean over targets",
        "Lower bars are closer languages. Whiskers: standard error over targets.",
        {"": plots.distance_bars(result)},
    )
    yield Picture(
        "isotropy",
        "Isotropy of the space",
        "If all sentences come closer together, and not only translations, the mean cosine rises here.",
        {"": plots.isotropy_bars(result)},
    )
    yield Picture(
        "variance",
        "Language in the variance of the space",
        "The lower the share between languages, the less a vector depends on its sentence's language.",
        {"": plots.subspace_bars(result)},
    )
    yield Picture(
        "sentences",
        "Sentences before and after",
        "Move the slider from before to after: clusters of one colour that mix have lost some of their language. "
        "Choose the target above the figure.",
        {f"{target} experts": plots.language_scatter(result, target) for target in result.config.targets},
    )


def _experts(result: StudyResult) -> Iterator[Picture]:
    from tl_experts import plots

    if "sweep" in result:
        yield Picture(
            "sweep",
            "How many experts",
            "Up and to the left is better: text in the target language at a low perplexity. Larger marks: more "
            "experts, from none; filled marks are on the Pareto front; crosses: texts that repeat themselves.",
            {"": plots.sweep_front(result)},
        )
    if "silencing" in result:
        yield Picture(
            "silencing",
            "Silencing each language's experts",
            "A dark diagonal and a pale rest mean that text in a language needs its own experts and no others; the "
            "second map is what random neurons of the same layers do.",
            {"": plots.silencing_maps(result)},
        )
    chosen = {row["target"]: row["k"] for row in records(result["choice"])}
    experts = Experts.from_pretrained(result.folder / "experts").head(min(chosen.values()))
    yield Picture(
        "expert-layers",
        "Layers of each language's experts",
        "Each row adds up to 1: bright cells are the layers where a language's experts concentrate.",
        {"": plots.experts_heatmap(experts)},
    )
    yield Picture(
        "overlap",
        "Overlap of the languages' experts",
        "Bright cells are pairs of languages that share many experts.",
        {"": plots.expert_overlap(experts)},
    )
