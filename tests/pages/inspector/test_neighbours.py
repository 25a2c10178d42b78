"""Neighbours are those with the largest correlations, also of responses on disk, be they many or few."""

import numpy as np
import pytest

from tl_experts import store_responses
from tl_experts.pages.inspector import neighbours
from tl_experts.pages.inspector.neighbours import Neighbours


@pytest.fixture
def stored(llama, corpus, tmp_path):
    return store_responses(llama, corpus, tmp_path, progress=False).responses()


def test_neighbours_have_the_largest_correlations_in_the_model(responses):
    own = responses.neurons.span(1).start + 9
    found = Neighbours(responses).of(own)
    everything = np.nan_to_num(np.corrcoef(responses.values.numpy().T)[own], nan=-1)
    everything[own] = -2
    assert [r for *_, r in found] == pytest.approx(np.sort(everything)[::-1][:10].tolist(), abs=1e-3)
    assert [1, 9] not in [[layer, neuron] for layer, neuron, _ in found]
    table = responses.neurons
    for layer, neuron, r in found:
        assert everything[table.span(layer).start + neuron] == pytest.approx(r, abs=1e-3)


@pytest.mark.parametrize(("limit", "reads"), [(2**28, 0), (1000, 2)])
def test_few_responses_on_disk_are_read_once_and_many_for_every_question(stored, responses, limit, reads, monkeypatch):
    monkeypatch.setattr(neighbours, "HELD_BYTES", limit)
    found = Neighbours(stored)
    found.load()
    read, columns = [], type(stored).columns
    monkeypatch.setattr(type(stored), "columns", lambda one, *span: read.append(span) or columns(one, *span))
    assert found.of(5) == Neighbours(responses).of(5)
    assert len(read) == reads
