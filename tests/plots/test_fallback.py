"""Bars of a fallback: one for every language in its colour, stacked to 1."""

import numpy as np

from tl_experts import plots
from tl_experts.steering import Fallback


def test_bars_are_shares_and_stack_to_one():
    probabilities = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.2, 0.8], [0.0, 0.0]]])
    figure = plots.fallback_bars(Fallback(("en",), ("de", "en"), probabilities, (("a", "b"), ("c", " "))))
    bars = {bar.name: bar for bar in figure.data}
    assert list(bars) == ["en", "de", "none"]
    assert list(bars["de"].x) == ["none", "+ en"]
    np.testing.assert_allclose(bars["de"].y, [0.5, 0.0])
    np.testing.assert_allclose(bars["none"].y, [0.0, 0.5])
    np.testing.assert_allclose(sum(np.asarray(bar.y) for bar in bars.values()), 1)
    assert bars["de"].marker.color == plots.colour_of("de")
    assert figure.layout.barmode == "stack"
