"""`tune --objective align` on the command line: JSON, and a folder that `steer` takes."""

import json

from typer.testing import CliRunner

from tl_experts.cli.commands import app

RUN = CliRunner()
SMALL = ["--to", "de", "--objective", "align", "--trials", "2", "--rows", "2", "--quiet"]


def run(*arguments):
    return RUN.invoke(app, [*map(str, arguments)])


def test_the_result_is_told_beside_no_intervention_and_saved(checkpoint, tmp_path):
    name, folder = checkpoint("llama"), tmp_path / "run"
    told = run("tune", name, *SMALL, "--output", folder, "--json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    assert found["folder"] == str(folder)
    assert found["rows"] == 2
    assert {"top1", "same_view", "baseline", "gain_over_baseline_p", "beats_baseline"} <= set(found)
    assert (folder / "steering").is_dir()


def test_an_objective_that_is_not_defined_is_named():
    done = run("tune", "TINY", "--to", "de", "--objective", "aline")
    assert done.exit_code != 0
    assert "did you mean 'align'" in f"{done.output}{done.exception}"
