"""Which worker of pytest-xdist runs a file: files that share a dear fixture run on one, which builds it once."""

import re
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).parents[1]

SHARED = ("compared", "result")
"""The fixtures of a whole comparison and of a whole study."""


@cache
def scope(file: str) -> str:
    """What a file is scheduled with: the same for all test files that ask for one of the fixtures."""
    if not file.startswith("tests/"):
        return file
    names = "|".join(SHARED)
    text = (ROOT / file).read_text("utf-8")
    own = re.search(rf"^def ({names})\(", text, re.MULTILINE)
    asks = re.search(rf"^(@pytest\.fixture.*\ndef |def test_)\w+\([^)]*\b({names})\b", text, re.MULTILINE)
    return " and ".join(SHARED) if asks and not own else file


class Scheduling(LoadFileScheduling):
    """As `--dist=loadfile`, but for `scope`."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """In place of the scheduler of `--dist=loadfile`."""
    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None
