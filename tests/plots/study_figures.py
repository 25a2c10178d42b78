"""Every figure of a study, and the table it draws."""

from tl_experts import plots

STUDY_FIGURES = {
    "baseline_bars": plots.baseline_bars,
    "control_bars": plots.control_bars,
    "distance_bars": plots.distance_bars,
    "distance_maps": plots.distance_maps,
    "gain_against_distance": plots.gain_against_distance,
    "isotropy_bars": plots.isotropy_bars,
    "language_scatter": lambda study: plots.language_scatter(study, "ja"),
    "layer_retrieval": plots.layer_retrieval,
    "method_bars": plots.method_bars,
    "retrieval_maps": plots.retrieval_maps,
    "silencing_maps": plots.silencing_maps,
    "subspace_bars": plots.subspace_bars,
    "sweep_front": plots.sweep_front,
}


TABLES = {
    "baseline_bars": "baselines",
    "control_bars": "control_summary",
    "distance_bars": "table1",
    "distance_maps": "pair_distances",
    "gain_against_distance": "candidates",
    "isotropy_bars": "geometry",
    "language_scatter": "picture",
    "layer_retrieval": "layers",
    "method_bars": "baselines",
    "retrieval_maps": "retrieval",
    "silencing_maps": "silencing",
    "subspace_bars": "geometry",
    "sweep_front": "sweep",
}


def traces(figure, kind):
    return [trace for trace in figure.data if trace.type == kind]


def channels(colour: str) -> tuple[float, ...]:
    """Red, green and blue of "#rrggbb", each from 0 to 1."""
    return tuple(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
