"""The tables of a comparison, and what cannot be read."""

import json
import shutil

import pytest

from tl_experts.errors import ArtefactError, StudyError
from tl_experts.jobs.files import write_json
from tl_experts.pages.comparison import comparison_page
from tl_experts.study.comparison import CompareResult
from tl_experts.study.comparison.result import MANIFEST, TABLES

pytestmark = pytest.mark.slow


def test_every_table_is_there_and_a_missing_one_is_named(compared):
    assert tuple(compared) == TABLES
    assert len(compared) == len(TABLES)
    assert "comparison" not in compared
    with pytest.raises(StudyError, match="did you mean 'writing'"):
        compared["writings"]


def test_a_folder_of_an_earlier_version_names_the_options_that_it_lacks(compared, tmp_path):
    manifest = json.loads((compared.folder / MANIFEST).read_text())
    del manifest["config"]["equal_kl"]
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtefactError, match="earlier version of tl-experts, which had no equal_kl"):
        CompareResult.load(tmp_path)


def test_a_folder_without_a_comparison_and_a_damaged_one_are_named(tmp_path):
    with pytest.raises(StudyError, match="holds no comparison"):
        CompareResult.load(tmp_path)
    (tmp_path / MANIFEST).write_text('{"config": []}')
    with pytest.raises(ArtefactError, match="lacks config or about"):
        CompareResult.load(tmp_path)


def test_a_folder_of_an_earlier_version_is_read(compared, tmp_path):
    folder = tmp_path / "older"
    shutil.copytree(compared.folder, folder)
    table = compared["alignment"].query("languages == 'all'")
    older = table.drop(columns=["languages", "rank", "detectable", "from_target", "to_target"])
    older.to_parquet(folder / "tables" / "alignment-es.parquet")
    write_json(folder / "stages" / "alignment-es.json", {"tables": ["alignment-es"], "seconds": 1.0, "peak_mib": None})
    found = CompareResult.load(folder)
    assert "spaces" not in found
    assert (found["alignment"]["languages"] == "all").all()
    page = comparison_page(found)
    assert "An earlier version computed these tables" in page
    assert 'id="table-spaces"' not in page
