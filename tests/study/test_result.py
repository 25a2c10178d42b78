"""A study's result: what is missing or damaged raises an error that names it."""

import shutil

import pytest

from tl_experts.errors import ArtefactError, StudyError
from tl_experts.study import StudyResult


def test_loading_what_is_no_finished_study(result, tmp_path):
    with pytest.raises(StudyError, match="holds no study"):
        StudyResult.load(tmp_path)
    folder = tmp_path / "copy"
    shutil.copytree(result.folder, folder)
    (folder / "tables" / "gains.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(ArtefactError, match=r"gains\.parquet cannot be read"):
        StudyResult.load(folder)
    (folder / "stages" / "controls.json").unlink()
    with pytest.raises(StudyError, match="stages controls are missing"):
        StudyResult.load(folder)
    (folder / "study.json").write_text("{")
    with pytest.raises(ArtefactError, match="is damaged"):
        StudyResult.load(folder)
    with pytest.raises(StudyError, match="did you mean 'gains'"):
        result["gain"]
