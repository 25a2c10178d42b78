"""Fixtures of the tests of files."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property, which Hypothesis draws within one test."""
    return tmp_path_factory.mktemp("property")
