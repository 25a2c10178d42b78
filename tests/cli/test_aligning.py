"""`tune --objective align` on the command line: killed it resumes; JSON, and a folder that `steer` takes."""

import json

from typer.testing import CliRunner

from tl_experts.cli.commands import app
from tl_experts.study import AlignmentResult
from tl_experts.study.aligning import reader
from tl_experts.study.spaces import setting_spaces

RUN = CliRunner()
SMALL = ["--to", "de", "--objective", "align", "--trials", "2", "--rows", "2", "--quiet"]


def run(*arguments):
    return RUN.invoke(app, [*map(str, arguments)])


def test_a_killed_search_resumes_and_its_result_is_told_beside_no_intervention(checkpoint, tmp_path, monkeypatch):
    name, folder, passes, dies = checkpoint("llama"), tmp_path / "run", [], {1}

    def counted(*args):
        if len(passes) in dies:
            raise KeyboardInterrupt
        passes.append((tuple(args[2]), len(args[3])))
        return setting_spaces(*args)

    monkeypatch.setattr(reader, "setting_spaces", counted)
    command = ["tune", name, *SMALL, "--output", folder, "--json"]
    assert run(*command).exit_code != 0
    dies.clear()
    told = run(*command)
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    assert found["folder"] == str(folder)
    assert found["rows"] == 2
    assert {"top1", "same_view", "baseline", "gain_over_baseline_p", "beats_baseline"} <= set(found)
    assert (folder / "steering").is_dir()
    result = AlignmentResult.load(folder)
    assert len(result.trials) == found["trials"]
    assert len(set(passes)) == len(passes)  # nothing was measured twice


def test_an_objective_that_is_not_defined_is_named():
    done = run("tune", "TINY", "--to", "de", "--objective", "aline")
    assert done.exit_code != 0
    assert "did you mean 'align'" in f"{done.output}{done.exception}"
