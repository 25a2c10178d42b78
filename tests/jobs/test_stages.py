"""A finished stage is kept with its tables; what is damaged is computed again or raises an error."""

import sys

import pytest

from tl_experts.errors import ArtefactError
from tl_experts.jobs.stages import finished_stages, is_finished, peak_memory, read_table, run_stage, stage_tables


def test_a_stage_is_finished_once_its_tables_are_written(tmp_path):
    assert not is_finished(tmp_path, "first")
    run_stage(tmp_path, "first", lambda: {"numbers": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], "nothing": []})
    assert is_finished(tmp_path, "first")
    found = finished_stages(tmp_path)
    assert found["first"]["tables"] == ["numbers"]  # a table without rows is not written
    assert found["first"]["seconds"] >= 0
    assert stage_tables(tmp_path, "first", found["first"])["numbers"].to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    assert (tmp_path / "tables" / "numbers.csv").read_text() == "a,b\n1,x\n2,y\n"


def test_a_stage_that_fails_is_not_finished(tmp_path):
    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_stage(tmp_path, "first", broken)
    assert not is_finished(tmp_path, "first")
    assert finished_stages(tmp_path) == {}


def test_a_damaged_marker_does_not_count_and_raises_an_error_when_read(tmp_path):
    run_stage(tmp_path, "first", lambda: {"numbers": [{"a": 1}]})
    (tmp_path / "stages" / "first.json").write_text("{")
    assert not is_finished(tmp_path, "first")
    with pytest.raises(ArtefactError, match=r"first\.json"):
        finished_stages(tmp_path)


def test_a_damaged_table_and_a_marker_without_tables_raise_an_error_that_names_them(tmp_path):
    run_stage(tmp_path, "first", lambda: {"numbers": [{"a": 1}]})
    (tmp_path / "tables" / "numbers.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtefactError, match=r"numbers\.parquet cannot be read"):
        read_table(tmp_path, "numbers")
    with pytest.raises(ArtefactError, match="stage first names no tables"):
        stage_tables(tmp_path, "first", {"tables": [1]})
    with pytest.raises(ArtefactError):
        read_table(tmp_path, "../stages/first")


def test_memory_is_measured_where_the_system_tells(monkeypatch):
    assert peak_memory() is None or peak_memory() > 1
    monkeypatch.setitem(sys.modules, "resource", None)  # Windows does not have it
    assert peak_memory() is None
