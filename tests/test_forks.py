"""The server of runs that are killed: exit codes as of `subprocess`, runs beside each other, stderr kept."""

import os
import signal

from tests.forks import Server


def test_the_exit_code_is_that_of_the_run(tmp_path):
    errors = tmp_path / "errors"
    with Server("builtins") as server:
        for call, code in ((("print", "said"), 0), (("exit", 3), 3), (("__import__", "nothing"), 1)):
            run = server.start(*call, errors=errors)
            assert run.wait(60)
            assert run.returncode == code
    assert "ModuleNotFoundError: No module named 'nothing'" in run.errors


def test_runs_beside_each_other_are_waited_for_and_killed_one_by_one(tmp_path):
    with Server("time") as server:
        one, other = (server.start("sleep", 60, errors=tmp_path / name) for name in ("one", "other"))
        assert not one.wait(0.01)
        for run, number in ((other, signal.SIGKILL), (one, signal.SIGINT)):
            os.kill(run.pid, number)
            assert run.wait(60)
    assert (one.returncode, other.returncode) == (1, -signal.SIGKILL)
    assert "KeyboardInterrupt" in one.errors
