"""Sentences to steer to and from, and layers to act in."""

import pytest

from tl_experts.errors import InterventionError
from tl_experts.responses.neurons import NeuronTable
from tl_experts.steering.choices import language_rows, layer_columns


def test_rows_of_the_target_and_of_the_source(corpus):
    of = {code: [i for i, label in enumerate(corpus.labels) if label == code] for code in corpus.languages}
    assert language_rows(corpus, "deu_Latn", "en") == (of["de"], of["en"])
    assert language_rows(corpus, "de", None) == (of["de"], of["en"] + of["ru"] + of["ja"])


@pytest.mark.parametrize(
    ("target", "source", "message"),
    [("fr", None, "target 'fr'"), ("de", "fr", "source 'fr'"), ("de", "de", "give two")],
)
def test_languages_that_cannot_be_raise(corpus, target, source, message):
    with pytest.raises(InterventionError, match=message):
        language_rows(corpus, target, source)


def test_columns_of_layers_come_in_their_order():
    table, columns = layer_columns(NeuronTable((0, 2, 5), (2, 3, 1)), [5, 0])
    assert table == NeuronTable((0, 5), (2, 1))
    assert columns.tolist() == [0, 1, 5]
    for layers in ([], [1], [0, 7]):
        with pytest.raises(InterventionError, match="choose among 0, 2, 5"):
            layer_columns(NeuronTable((0, 2, 5), (2, 3, 1)), layers)
