"""The tables of a comparison, and what cannot be read."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from tl_experts.errors import ArtefactError, StudyError
from tl_experts.jobs.files import write_json
from tl_experts.pages.comparison import comparison_page
from tl_experts.study.comparison import CompareResult
from tl_experts.study.comparison.result import (
    LAYERS,
    MANIFEST,
    ROMANISED,
    TABLES,
    stage_names,
    with_quality,
    without_guesses,
)

pytestmark = pytest.mark.slow


MEASURES = ("share", "score", "quality", "dev_score")


def test_every_table_is_there_and_a_missing_one_is_named(compared):
    measured = tuple(name for name in TABLES if not name.startswith("romanised"))  # Spanish is in Latin letters
    assert tuple(compared) == measured
    assert len(compared) == len(measured)
    assert "comparison" not in compared
    with pytest.raises(StudyError, match="did you mean 'writing'"):
        compared["writings"]


def test_a_folder_of_an_earlier_version_names_the_options_that_it_lacks(compared, tmp_path):
    manifest = json.loads((compared.folder / MANIFEST).read_text())
    del manifest["config"]["equal_kl"]
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtefactError, match="earlier version of tl-experts, which had no equal_kl"):
        CompareResult.load(tmp_path)


def test_an_option_that_came_later_has_the_value_on_which_earlier_versions_acted(compared, tmp_path):
    folder = tmp_path / "older"
    shutil.copytree(compared.folder, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["config"]["first_tokens"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert CompareResult.load(folder).config == compared.config
    assert compared.config.first_tokens == ()


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


def test_a_folder_without_the_later_stages_and_the_quality_is_read(compared, tmp_path):
    folder = tmp_path / "older"
    shutil.copytree(compared.folder, folder)
    (folder / "stages" / f"{LAYERS}.json").unlink()
    older = compared["writing"].drop(columns="quality")
    older.to_parquet(folder / "tables" / "writing-es.parquet")
    found = CompareResult.load(folder)
    assert LAYERS not in found
    known = older["score"] > 0
    assert known.any()
    assert found["writing"]["quality"][known].to_numpy() == pytest.approx(compared["writing"]["quality"][known])
    assert found["writing"]["quality"][~known].isna().all()
    assert 'id="figure-writing"' in comparison_page(found)


def test_the_quality_of_an_earlier_version_is_that_of_its_score():
    share, quality = pd.Series([0.5, 1.0, 0.0]), pd.Series([0.8, 1.0, 0.3])
    table = pd.DataFrame({"share": share, "score": 2 * share * quality / (share + quality)})
    assert with_quality(table)["quality"].to_numpy() == pytest.approx([0.8, 1.0, float("nan")], nan_ok=True)
    mixed = table.assign(quality=[0.25, None, 0.3])
    assert list(with_quality(mixed)["quality"]) == [0.25, 1.0, 0.3]


def test_only_targets_in_cyrillic_letters_are_romanised(compare_config):
    assert ROMANISED not in stage_names(compare_config)
    assert stage_names(replace(compare_config, targets=("es", "ru")))[-2:] == [LAYERS, ROMANISED]


def test_the_zeros_of_earlier_versions_for_what_was_not_measured_are_unknown():
    methods = ["paid", "only stronger ones tried", "never wrote it"]
    kl = [0.2, float("nan"), float("nan")]
    equal = pd.DataFrame({"target": "es", "method": methods, "kl": kl} | dict.fromkeys(MEASURES, 0.0))
    tried = pd.DataFrame({"target": ["es", "es", "de"], "method": [methods[0], methods[1], methods[2]]})
    found = without_guesses(equal, tried)
    for name in MEASURES:
        assert list(found[name].isna()) == [False, True, False]
    pd.testing.assert_frame_equal(without_guesses(found, tried), found)
