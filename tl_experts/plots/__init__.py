"""Figures: each function takes a result and returns a `plotly.graph_objects.Figure`; it never shows or saves one.

``figure.show()`` in a notebook; ``figure.write_html("x.html")`` for a file that opens offline; ``figure.write_image``
(PNG, SVG, PDF) needs the extra ``png``. Figures of a study take the study:
``retrieval_maps(StudyResult.load(folder))``.
"""

from tl_experts.plots.aligning import alignment_search
from tl_experts.plots.comparison import alignment_bars, cost_front, mexa_layers, writing_front
from tl_experts.plots.experts import (
    auroc_by_rank,
    expert_overlap,
    experts_heatmap,
    experts_per_layer,
    response_distributions,
)
from tl_experts.plots.fallback import fallback_bars
from tl_experts.plots.methods import method_bars, method_means
from tl_experts.plots.retrieval import (
    baseline_bars,
    control_bars,
    gain_against_distance,
    layer_retrieval,
    retrieval_maps,
)
from tl_experts.plots.silencing import silencing_map, silencing_maps, silencing_side_by_side
from tl_experts.plots.space import (
    distance_bars,
    distance_maps,
    isotropy_bars,
    language_scatter,
    subspace_bars,
)
from tl_experts.plots.style import TEMPLATE, colour_of, language_order
from tl_experts.plots.sweep import sweep_front
from tl_experts.plots.tuning import tuning_front

__all__ = [
    "TEMPLATE",
    "alignment_bars",
    "alignment_search",
    "auroc_by_rank",
    "baseline_bars",
    "colour_of",
    "control_bars",
    "cost_front",
    "distance_bars",
    "distance_maps",
    "expert_overlap",
    "experts_heatmap",
    "experts_per_layer",
    "fallback_bars",
    "gain_against_distance",
    "isotropy_bars",
    "language_order",
    "language_scatter",
    "layer_retrieval",
    "method_bars",
    "method_means",
    "mexa_layers",
    "response_distributions",
    "retrieval_maps",
    "silencing_map",
    "silencing_maps",
    "silencing_side_by_side",
    "subspace_bars",
    "sweep_front",
    "tuning_front",
    "writing_front",
]
