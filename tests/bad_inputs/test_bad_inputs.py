"""Bad inputs, as tables: each raises an error of the family that names the value and the way out.

A row is what is done and the words its message must hold. Nothing half-written may be left by any of them.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tl_experts
from tests.bad_inputs import QUIET
from tests.bad_inputs.commands import COMMANDS
from tests.bad_inputs.corpora import CORPORA
from tests.bad_inputs.experts import EXPERTS
from tests.bad_inputs.files import READERS
from tests.bad_inputs.models import MODELS
from tests.bad_inputs.own import OWN
from tests.bad_inputs.steering import STEERING
from tests.bad_inputs.studies import STUDIES
from tests.bad_inputs.tuning import TUNING
from tests.bad_inputs.vectors import VECTORS
from tests.bad_inputs.writing import WRITING
from tl_experts import (
    Reading,
    collect_responses,
    find_experts,
    intervention_hooks,
    load_model,
    score_responses,
    select_experts,
    store_responses,
)
from tl_experts.analysis.distances import LEVELS, MEDOIDS, language_distances
from tl_experts.analysis.retrieval import MEASURES, scored
from tl_experts.cli.commands import main
from tl_experts.errors import TLExpertsError
from tl_experts.experts.find import ORDERS
from tl_experts.experts.scorings import SCORINGS
from tl_experts.models import SITES
from tl_experts.models.dtypes import DTYPES
from tl_experts.models.pooling import POOLINGS
from tl_experts.steering.operations import OPERATIONS
from tl_experts.steering.positions import POSITIONS
from tl_experts.steering.steering import TOKEN_VALUES, VALUES


class Made(SimpleNamespace):
    """Hypothesis prints what fails."""

    def __repr__(self) -> str:
        return "made"


@pytest.fixture(scope="module")
def made(model_of, checkpoint, corpus) -> Made:
    """What rows start from."""
    model = model_of("llama")
    responses = collect_responses(model, corpus, **QUIET)
    expertise = score_responses(responses, **QUIET)
    return Made(
        model=model,
        path=str(checkpoint("llama")),
        corpus=corpus,
        responses=responses,
        expertise=expertise,
        experts=select_experts(expertise, k=5),
    )


ROWS = [*CORPORA, *READERS, *MODELS, *EXPERTS, *OWN, *STEERING, *VECTORS, *STUDIES, *TUNING, *WRITING]

NOT_REFUSING = {"available_models"}


@pytest.mark.parametrize(
    ("what", "words"), [(what, words) for _, what, words in ROWS], ids=[name for name, _, _ in ROWS]
)
def test_a_bad_input_raises_an_error_that_names_it(what, words, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made.folder, made.ignored, made.kept = tmp_path, set(), tmp_path / "kept"
    with pytest.raises(TLExpertsError) as refused:
        what(made)
    for word in words:
        assert word in str(refused.value)
    left = {path for path in tmp_path.rglob("*") if path not in made.ignored}
    # A store that was begun before a part was refused is a job without a shard: whole, and found again.
    assert {path.name for path in left} <= {"kept", "job.json", "corpus.json"}


@pytest.mark.parametrize(("arguments", "code"), COMMANDS, ids=["$ " + " ".join(arguments) for arguments, _ in COMMANDS])
def test_a_bad_command_ends_with_a_code_and_one_line(arguments, code, checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    filled = [str(checkpoint("llama")) if argument == "TINY" else argument for argument in arguments]
    quiet = ["--quiet"] if code == 1 and arguments[0] in ("demo", "find") else []
    monkeypatch.setattr(sys, "argv", ["tl-experts", *filled, *quiet])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == code
    assert "Traceback" not in said.out + said.err
    if code == 1:
        assert said.err.count("tl-experts: ") == 1
        assert said.err.splitlines()[-1]  # a command to copy may stand on a line of its own
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left <= {"job.json", "corpus.json"}


ANYTHING = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=1),
    st.tuples(st.integers()),
    st.binary(max_size=4),
)

VECTORS_OF_TWO = {"en": torch.eye(3), "de": torch.eye(3).flip(0)}

CHOICES: dict[str, Callable[[Any, Any], object]] = {
    "scoring": lambda m, v: select_experts(m.expertise, k=2, scoring=v),
    "how": lambda m, v: select_experts(m.expertise, k=2, how=v),
    "pooling": lambda m, v: collect_responses(m.model, m.corpus, reading=Reading(pooling=v), **QUIET),
    "site": lambda m, v: collect_responses(m.model, m.corpus, reading=Reading(site=v), **QUIET),
    "operation": lambda m, v: intervention_hooks(m.experts["de"], operation=v),
    "value": lambda m, v: intervention_hooks(m.experts["de"], value=v),
    "positions": lambda m, v: intervention_hooks(m.experts["de"], positions=v),
    "measure": lambda m, v: scored(torch.eye(3), v),
    "level": lambda m, v: language_distances(VECTORS_OF_TWO, level=v),
    "medoid": lambda m, v: language_distances(VECTORS_OF_TWO, medoid=v),
    "response dtype": lambda m, v: store_responses(m.model, m.corpus, m.kept, reading=Reading(dtype=v), **QUIET),
    "response dtype in memory": lambda m, v: find_experts(m.model, m.corpus, k=2, reading=Reading(dtype=v), **QUIET),
    "dtype": lambda m, v: load_model(m.path, dtype=v),
    "workers": lambda m, v: store_responses(m.path, m.corpus, m.kept, workers=v if v is not None else 0, **QUIET),
}
"""Options that are one of a few words; none of them takes anything that `ANYTHING` draws, but for a word by chance."""

WORDS = {
    *SCORINGS,
    *POOLINGS,
    *SITES,
    *OPERATIONS,
    *VALUES,
    *TOKEN_VALUES,
    *POSITIONS,
    *MEASURES,
    *DTYPES,
    *LEVELS,
    *MEDOIDS,
    *ORDERS,
    "ray",
}


@pytest.mark.parametrize("option", CHOICES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=ANYTHING)
def test_an_invalid_option_value_raises_an_error_that_names_it(option, value, made, tmp_path):
    assume(not (isinstance(value, str) and value in WORDS))
    made.kept = tmp_path / "kept"
    with pytest.raises(TLExpertsError) as refused:
        CHOICES[option](made, value)
    assert repr(value) in str(refused.value) or str(value) in str(refused.value)
    assert not made.kept.exists()


def test_every_public_function_has_a_row():
    functions = {
        name
        for name in tl_experts.__all__
        if callable(getattr(tl_experts, name)) and not isinstance(getattr(tl_experts, name), type)
    }
    # Once it is imported; every further mention is a row.
    source = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py"))
    assert {name for name in functions if len(re.findall(rf"\b{name}\b", source)) < 2} <= NOT_REFUSING


def test_there_are_at_least_300_and_no_two_are_one():
    names = [name for name, _, _ in ROWS] + ["$ " + " ".join(arguments) for arguments, _ in COMMANDS]
    assert len(names) == len(set(names))
    assert len(names) >= 300
