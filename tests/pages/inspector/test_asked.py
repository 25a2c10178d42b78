"""What the page sends is checked, and every value that is wrong is named."""

import pytest

from tl_experts.errors import TLExpertsError
from tl_experts.pages.inspector.asked import Held, Wish

GOOD = {"prompt": "The cat", "by": "experts", "language": "ja", "k": 3}


def test_values_become_a_wish():
    wish = Wish.read(GOOD | {"tokens": 7.0, "temperature": 0, "seed": 4, "texts": 2, "operation": "add", "strength": 2})
    assert wish == Wish("The cat", Held("experts", "ja", 3, operation="add", strength=2.0), 7, 0.0, 4, 2)


def test_one_neuron_has_a_number_for_a_value():
    held = Held.read({"by": "neuron", "neuron": "L1N9", "value": 2})
    assert (held.neuron, held.value) == ((1, 9), 2.0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prompt": " "}, "prompt is empty"),
        ({"by": "magic"}, "by 'magic' is not known"),
        ({"k": 0}, "k is 0; expected 1"),
        ({"k": "many"}, "k is 'many'; expected a whole number"),
        ({"tokens": 0}, "tokens is 0"),
        ({"tokens": None}, "tokens is None"),
        ({"temperature": -1}, "temperature is -1; expected a number from 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"texts": 6}, "texts is 6; expected 1 to 5"),
        ({"strength": True}, "strength is True"),
        ({"first": -1}, "first is -1; expected 0 or more"),
        ({"by": "neuron", "neuron": "here"}, "write it as L12 N847"),
        ({"by": "neuron", "neuron": "L1 N1", "value": "mean"}, "value is 'mean'; expected a number"),
    ],
)
def test_a_wrong_value_is_named(wrong, message):
    assert Wish.read(GOOD).held.k == 3
    with pytest.raises(TLExpertsError, match=message):
        Wish.read(GOOD | wrong)
