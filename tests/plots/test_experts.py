"""Figures of experts draw the numbers that the experts hold."""

import numpy as np
import pytest

from tests.plots.study_figures import traces
from tl_experts import plots
from tl_experts.errors import TLExpertsError


def test_bars_per_layer_sum_to_the_experts(found):
    _, _, experts = found
    figure = plots.experts_per_layer(experts)
    assert [trace.name for trace in figure.data] == plots.language_order(experts.languages)
    for trace in figure.data:
        chosen = experts[trace.name]
        assert list(trace.y) == [int((chosen.layer == layer).sum()) for layer in trace.x]
        assert sum(trace.y) == 9


def test_the_heat_map_of_layers_holds_shares(found):
    _, _, experts = found
    (trace,) = plots.experts_heatmap(experts).data
    np.testing.assert_allclose(np.asarray(trace.z).sum(axis=1), 1)
    assert np.asarray(trace.customdata).sum() == 9 * len(experts.languages)


def test_only_whole_layers_are_named(found):
    axis = plots.experts_heatmap(found[2]).layout.xaxis
    assert (axis.tick0, axis.dtick) == (0, 1)


def test_auroc_falls_with_the_rank_from_the_best_to_the_worst(found):
    _, expertise, _ = found
    figure = plots.auroc_by_rank(expertise, k=10)
    assert [trace.name for trace in figure.data] == plots.language_order(expertise.languages)
    for trace in figure.data:
        column = expertise.auroc[:, expertise.column(trace.name)]
        assert trace.y[0] == column.max()
        assert trace.y[-1] == column.min()
        assert (np.diff(trace.y) <= 0).all()
    (line,) = [shape for shape in figure.layout.shapes if shape.x0 == shape.x1]
    (label,) = [note for note in figure.layout.annotations if note.text == "k = 10"]
    assert line.x0 == 10
    assert label.x == pytest.approx(1.0), "on a logarithmic axis an annotation is placed by its logarithm"


def test_boxes_are_numpys_quantiles(found):
    responses, _, _ = found
    figure = plots.response_distributions(responses, 1, 5)
    column = int(responses.neurons.columns_of(np.array([1]), np.array([5]))[0])
    values, labels = responses.values[:, column].numpy(), np.array(responses.corpus.labels)
    for box in traces(figure, "box"):
        mine = values[labels == box.name]
        np.testing.assert_allclose([box.q1[0], box.median[0], box.q3[0]], np.quantile(mine, [0.25, 0.5, 0.75]))
        assert (box.lowerfence[0], box.upperfence[0]) == (mine.min(), mine.max())
    assert sum(len(points.y) for points in traces(figure, "scatter")) == len(labels)
    with pytest.raises(TLExpertsError, match="L9 N5 is not among"):
        plots.response_distributions(responses, 9, 5)


def test_overlap_is_the_jaccard_index_by_hand(found):
    _, _, experts = found
    (trace,) = plots.expert_overlap(experts).data
    sets = {
        language: set(zip(experts[language].layer.tolist(), experts[language].neuron.tolist(), strict=True))
        for language in experts.languages
    }
    for row, one in enumerate(trace.y):
        for column, other in enumerate(trace.x):
            if one == other:
                assert np.isnan(trace.z[row][column])
            else:
                expected = len(sets[one] & sets[other]) / len(sets[one] | sets[other])
                assert trace.z[row][column] == pytest.approx(expected)


@pytest.mark.parametrize("k", [0, -1, 10**6])
def test_a_cut_beyond_the_neurons_is_refused(k, found):
    with pytest.raises(TLExpertsError, match=f"k is {k}"):
        plots.auroc_by_rank(found[1], k=k)
