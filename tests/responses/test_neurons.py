"""A neuron table maps columns to (layer, neuron) and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_experts.responses.neurons import NeuronTable

TABLE = NeuronTable((1, 4), (2, 3))
"""Columns 0 and 1 are layer 1; columns 2 to 4 are layer 4."""

tables = st.dictionaries(st.integers(0, 40), st.integers(1, 6), min_size=1, max_size=5).map(
    lambda widths: NeuronTable(tuple(sorted(widths)), tuple(widths[layer] for layer in sorted(widths)))
)


def test_columns_by_hand():
    assert TABLE.total == 5
    assert TABLE.layer_of.tolist() == [1, 1, 4, 4, 4]
    assert TABLE.neuron_of.tolist() == [0, 1, 0, 1, 2]
    assert (TABLE.span(1), TABLE.span(4)) == (slice(0, 2), slice(2, 5))
    assert TABLE.describe(3) == "L4 N1"


@given(tables)
def test_columns_of_inverts_layer_of_and_neuron_of(table):
    assert table.columns_of(table.layer_of, table.neuron_of).tolist() == list(range(table.total))
    assert table.holds(table.layer_of, table.neuron_of)


@given(tables)
def test_the_spans_of_the_layers_cover_every_column_once(table):
    covered = [column for layer in table.layers for column in range(table.total)[table.span(layer)]]
    assert covered == list(range(table.total))
    for layer in table.layers:
        assert set(table.layer_of[table.span(layer)].tolist()) == {layer}


@pytest.mark.parametrize(("layer", "neuron"), [(1, 2), (4, 3), (0, 0), (2, 0), (5, 0), (-1, 0), (1, -1)])
def test_a_neuron_outside_the_table_is_not_held(layer, neuron):
    assert TABLE.holds(np.array([1, 4]), np.array([1, 2]))
    assert not TABLE.holds(np.array([1, layer]), np.array([1, neuron]))


def test_only_keeps_the_widths_of_the_chosen_layers_in_ascending_order():
    table = NeuronTable((0, 2, 5), (3, 1, 4))
    assert table.only([5, 0, 5]) == NeuronTable((0, 5), (3, 4))
    assert table.only(table.layers) == table
