"""Files that share a dear fixture run on one worker, every other file by itself."""

from pathlib import Path

import pytest

from tests.scheduling import ROOT, SHARED, Scheduling, scope

DEFINED = ("comparison_fixtures.py", "study_fixtures.py")
TOGETHER = scope("tests/study/test_run.py")


@pytest.mark.parametrize("file", ["study/comparison/test_run", "plots/test_comparison", "cli/test_comparing"])
def test_files_that_ask_for_a_study_or_a_comparison_share_a_worker(file):
    assert scope(f"tests/{file}.py") == TOGETHER
    assert Scheduling.__new__(Scheduling)._split_scope(f"tests/{file}.py::test_of_it[1]") == TOGETHER


@pytest.mark.parametrize("file", ["tests/test_gemma.py", "tests/steering/tuning/test_tuner.py", "tl_experts/errors.py"])
def test_another_file_runs_by_itself(file):
    assert scope(file) == file


def test_every_user_of_the_fixtures_is_among_them(request):
    """Of the tests that were collected: those of the whole suite, where it runs."""
    users = {item.path.relative_to(ROOT).as_posix() for item in request.session.items if fixtures(item) & {*DEFINED}}
    assert {scope(file) for file in users} <= {TOGETHER}


def fixtures(item):
    """The files that define what a test asks for under one of the names; a file's own fixture is in force there."""
    found = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    in_force = [found[name][-1] for name in SHARED if name in found]
    return {Path(one.func.__code__.co_filename).name for one in in_force}


def test_the_scheduler_is_in_force(pytestconfig):
    assert "--dist=loadfile" in pytestconfig.getini("addopts")
    assert pytestconfig.hook.pytest_xdist_make_scheduler.get_hookimpls()[-1].function.__module__ == "tests.scheduling"
