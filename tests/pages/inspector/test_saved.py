"""What is read of a saved run before torch is imported."""

import subprocess
import sys

import pytest

from tl_experts.errors import ArtefactError, SelectionError
from tl_experts.jobs.artefacts import load_artefact, save_artefact
from tl_experts.pages.inspector.saved import expert_counts, parse_neuron


@pytest.mark.parametrize("text", ["L12 N847", "12 847", "l12n847"])
def test_a_neuron_is_read_as_people_write_it(text):
    assert parse_neuron(text) == (12, 847)


@pytest.mark.parametrize("text", ["", "L12", "N8", "L1 N2 N3"])
def test_text_that_is_not_a_neuron_raises_an_error(text):
    with pytest.raises(SelectionError, match="write it as L12 N847"):
        parse_neuron(text)


def test_the_counts_of_saved_experts_are_theirs(experts, tmp_path):
    experts.save_pretrained(tmp_path / "experts")
    assert expert_counts(tmp_path) == experts.counts
    assert set(experts.counts.values()) == {5}


def test_counts_are_read_without_torch(experts, tmp_path):
    experts.save_pretrained(tmp_path / "experts")
    code = (
        "import sys; from tl_experts.pages.inspector.saved import expert_counts; "
        f"print(sum(expert_counts({str(tmp_path)!r}).values()), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(experts.total), "False"]


def test_counts_of_missing_or_damaged_experts_raise_an_error(experts, tmp_path):
    with pytest.raises(ArtefactError, match="No such file"):
        expert_counts(tmp_path)
    arrays, header = load_artefact(experts.save_pretrained(tmp_path / "experts"), "experts")
    save_artefact(tmp_path / "other" / "experts", "experts", {"layer": arrays["layer"]}, header)
    with pytest.raises(ArtefactError, match="language_of"):
        expert_counts(tmp_path / "other")
