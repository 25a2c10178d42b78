"""A folder of `tl-experts find` with a tiny model, run once."""

import pytest
from typer.testing import CliRunner

from tl_experts.cli.commands import app


@pytest.fixture(scope="session")
def find_folder(checkpoint, tmp_path_factory):
    """Three experts each of English and Japanese, from four rows."""
    folder = tmp_path_factory.mktemp("find")
    arguments = ["find", str(checkpoint("llama")), "--k", "3", "--limit", "4", "--languages", "en,ja", "--quiet"]
    CliRunner().invoke(app, [*arguments, "--output", str(folder)], catch_exceptions=False)
    return folder
