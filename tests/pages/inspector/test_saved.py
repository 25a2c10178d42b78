"""What is read of a saved run before torch is imported."""

import pytest

from tl_experts.errors import SelectionError
from tl_experts.pages.inspector.saved import parse_neuron


@pytest.mark.parametrize("text", ["L12 N847", "12 847", "l12n847"])
def test_a_neuron_is_read_as_people_write_it(text):
    assert parse_neuron(text) == (12, 847)


@pytest.mark.parametrize("text", ["", "L12", "N8", "L1 N2 N3"])
def test_what_is_no_neuron_is_refused(text):
    with pytest.raises(SelectionError, match="write it as L12 N847"):
        parse_neuron(text)
