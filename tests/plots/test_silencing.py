"""The map of a silencing matrix: its changes, the control beside them, one scale with white at zero."""

import numpy as np
import pytest

from tl_experts import plots, silencing_matrix
from tl_experts.errors import TLExpertsError


@pytest.fixture(scope="module")
def matrix(model_of, corpus, found):
    options = {"control_seeds": 2, "resamples": 20, "progress": False}
    return silencing_matrix(model_of("llama"), found[2].only(["ja", "de"]), corpus, **options)


def test_the_maps_are_the_change_and_the_control_on_one_scale(matrix):
    figure = plots.silencing_map(matrix)
    experts, control = figure.data
    assert list(experts.y) == ["de", "ja"]  # the order of all figures, whatever that of the matrix
    assert list(experts.x) == ["en", "de", "ja", "ru"]
    rows, columns = [1, 0], [matrix.languages.index(language) for language in experts.x]
    np.testing.assert_allclose(experts.z, matrix.change[rows][:, columns])
    np.testing.assert_allclose(control.z, matrix.control_change.mean(axis=0)[rows][:, columns])
    axis = figure.layout.coloraxis
    assert axis.cmin == -axis.cmax
    assert axis.cmax == pytest.approx(np.abs([experts.z, control.z]).max())
    assert {experts.coloraxis, control.coloraxis} == {"coloraxis"}
    assert not figure.layout.updatemenus


def test_hover_tells_counts_interval_and_spread(matrix):
    experts, control = plots.silencing_map(matrix).data
    cell = matrix.to_pandas().set_index(["silenced", "text"]).loc["de", "ja"]
    assert experts.customdata[0, 2].tolist() == cell[["neurons", "low", "high", "log_perplexity"]].tolist()
    assert control.customdata[0, 2].tolist() == cell[["neurons", "control_spread"]].tolist()
    for trace, places in ((experts, 4), (control, 2)):
        assert all(f"%{{customdata[{place}]" in trace.hovertemplate for place in range(places))
        assert "nats per token" in trace.hovertemplate


def test_several_matrices_have_a_menu_that_shows_one_at_a_time(matrix):
    figure = plots.silencing_map({"auroc": matrix, "a < b": matrix})
    assert [trace.visible for trace in figure.data] == [True, True, False, False]
    buttons = figure.layout.updatemenus[0].buttons
    assert [button.label for button in buttons] == ["auroc", "a &lt; b"]
    assert [button.args[0]["visible"] for button in buttons] == [[True] * 2 + [False] * 2, [False] * 2 + [True] * 2]


def test_side_by_side_each_matrix_has_its_map_and_its_diagonality(matrix):
    figure = plots.silencing_side_by_side({"auroc": matrix, "a < b": matrix, "c": matrix, "d": matrix})
    alone = plots.silencing_map(matrix).data[0]
    assert [trace.xaxis for trace in figure.data] == ["x", "x2", "x3", "x4"]
    for trace in figure.data:
        assert trace.coloraxis == "coloraxis"
        np.testing.assert_array_equal(trace.z, alone.z)
    titles = [annotation.text for annotation in figure.layout.annotations]
    own, random = matrix.diagonality.value.value, matrix.control_diagonality.value.value
    assert titles[:2] == [f"{name}: {own:.3f}, random {random:.3f}" for name in ("auroc", "a &lt; b")]
    assert figure.layout.coloraxis.cmax == plots.silencing_map(matrix).layout.coloraxis.cmax


def test_no_matrix_raises(matrix):
    with pytest.raises(TLExpertsError, match="is empty"):
        plots.silencing_map({})
    for nothing in ({}, matrix):
        with pytest.raises(TLExpertsError, match="expected silencing matrices by name"):
            plots.silencing_side_by_side(nothing)
