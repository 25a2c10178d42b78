"""`tl-experts inspect` from the command line: the page is written again where it is of another version."""

import shutil

import pytest
from typer.testing import CliRunner

from tl_experts.cli.commands import app
from tl_experts.errors import ArtefactError
from tl_experts.jobs.files import INSPECTOR_PAGE
from tl_experts.pages.inspector import server
from tl_experts.pages.inspector.page import saved_data


def test_the_page_of_find_is_written(find_folder):
    result = CliRunner().invoke(
        app, ["inspect", str(find_folder), "--save", "--k", "1", "--quiet"], catch_exceptions=False
    )
    assert "it works offline" in result.output
    data = saved_data((find_folder / INSPECTOR_PAGE).read_text("utf-8"))
    assert {code: len(experts) for code, experts in data["experts"].items()} == {"en": 1, "ja": 1}


def test_a_page_of_another_version_is_written_again_before_it_is_served(find_folder, tmp_path, monkeypatch):
    pytest.importorskip("flask")
    folder = shutil.copytree(find_folder, tmp_path / "older")
    (folder / INSPECTOR_PAGE).write_text("<p>an older page</p>")
    served = []
    monkeypatch.setattr(server, "serve", lambda made, host, port: served.append((made, host, port)))
    CliRunner().invoke(app, ["inspect", str(folder), "--port", "8123", "--quiet"], catch_exceptions=False)
    assert saved_data((folder / INSPECTOR_PAGE).read_text("utf-8"))["title"]
    ((made, host, port),) = served
    assert (host, port) == ("127.0.0.1", 8123)
    *_, offered = made.test_client().get("/api/loading").text.splitlines()
    assert '"layers": [[0, 48], [1, 48]]' in offered


def test_a_folder_without_a_run_says_what_to_give(tmp_path):
    with pytest.raises(ArtefactError, match=r"tl-experts find"):
        CliRunner().invoke(app, ["inspect", str(tmp_path)], catch_exceptions=False)
