"""Where in the model translations are aligned: MEXA of every layer, without and with the best intervention."""

from tl_experts.jobs.stages import Row, Tables
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.chosen import Chosen, best_view, chosen
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.views import mean_mexa
from tl_experts.study.spaces import every_layer, layer_name, setting_spaces


def layers(bench: CompareBench) -> Tables:
    """MEXA of every layer, the vectors as they are: without intervention, and with the best one of each target.

    Returns:
        ``layers``: a row per method, target (none without intervention) and layer.
    """
    rows: list[Row] = []
    for number, target in enumerate(bench.config.targets):
        found = chosen(bench, target)
        free = [one for one in found if one.method == UNSTEERED][: number == 0]  # the same for every target
        steered = [one for one in found if one.method != UNSTEERED]
        rows += _rows(bench, target, [*free, *([best_view(steered)] if steered else [])])
    return {"layers": rows}


def _rows(bench: CompareBench, target: str, found: list[Chosen]) -> list[Row]:
    methods = {one.setting: one.method for one in found}
    rows: list[Row] = []
    for setting, spaces in setting_spaces(
        bench.model, bench.builder(target), list(methods), bench.test, every_layer(bench.model)
    ):
        own = {
            "target": "" if setting is None else target,
            "method": methods[setting],
            "setting": "" if setting is None else str(setting),
        }
        rows += [own | {"layer": layer_name(layer), "mexa": mean_mexa(space)} for layer, space in spaces.items()]
    return rows
