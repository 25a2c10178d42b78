"""`tl-experts compare` from the command line."""

import pytest
from typer.testing import CliRunner

from tl_experts.cli.commands import app


def test_a_wrong_name_fails_before_anything_is_loaded():
    result = CliRunner().invoke(app, ["compare", "polyglot-mimi"])
    assert result.exit_code != 0
    assert "did you mean 'polyglot-mini'" in str(result.exception)


@pytest.mark.slow
def test_a_finished_comparison_prints_its_conclusion_and_writes_its_page(compared):
    options = "\n".join(f"{name} = {value!r}" for name, value in compared.config.as_dict().items() if value is not None)
    path = compared.folder / "options.toml"
    path.write_text(options)
    result = CliRunner().invoke(app, ["compare", str(path), "--output", str(compared.folder), "--quiet"])
    assert result.exit_code == 0, result.output
    assert "For writing," in result.output
    assert (compared.folder / "report.html").is_file()
