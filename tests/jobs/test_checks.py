"""Options of a file are of their field's type; each bad one is named."""

from dataclasses import dataclass
from typing import Literal

import pytest

from tl_experts.errors import StudyError
from tl_experts.jobs.checks import checked_option, read_toml, require_options


@dataclass(frozen=True)
class Options:
    name: str
    counts: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (str, "x", "x"),
        (int, 3, 3),
        (int | None, None, None),
        (int | None, 3, 3),
        (float | None, 1, 1.0),
        (float, 0.5, 0.5),
        (tuple[int, ...], [1, 2], (1, 2)),
        (Literal["a", "b"], "b", "b"),
    ],
)
def test_a_value_of_the_type_is_accepted(kind, value, expected):
    least = {} if kind in (str, float) else {"rows": 1}
    found = checked_option("rows", kind, value, least, StudyError)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (str, 3, "rows is 3; expected a text"),
        (int, True, "rows is True; expected a whole number"),
        (int, 0, "rows is 0; expected 1 or more"),
        (int, 1.5, "rows is 1.5; expected a whole number"),
        (float, "x", "rows is 'x'; expected a number"),
        (float, True, "rows is True; expected a number"),
        (float | None, float("nan"), "rows is nan; expected a number"),
        (int | None, "x", "rows is 'x'"),
        (tuple[int, ...], 3, "rows is 3; expected a list"),
        (tuple[int, ...], [1, 0], "rows is 0; expected 1 or more"),
        (Literal["a", "b"], "c", "'c'"),
    ],
)
def test_another_value_raises_an_error_that_names_it(kind, value, message):
    with pytest.raises(StudyError, match=message):
        checked_option("rows", kind, value, {"rows": 1}, StudyError)


def test_an_unknown_and_a_missing_option_are_named():
    require_options(Options, {"name": "x"}, {"name": "mine"}, "a.toml", StudyError)
    with pytest.raises(StudyError, match=r"a\.toml: option 'nane' is not known; did you mean 'name'"):
        require_options(Options, {"nane": "x"}, {"name": "mine"}, "a.toml", StudyError)
    with pytest.raises(StudyError, match=r"a\.toml: name must be given, as in name = 'mine'"):
        require_options(Options, {}, {"name": "mine"}, "a.toml", StudyError)


def test_a_toml_file_is_read_and_anything_else_is_named(tmp_path):
    (tmp_path / "a.toml").write_text("k = 3")
    assert read_toml(tmp_path / "a.toml", StudyError) == {"k": 3}
    (tmp_path / "a.toml").write_text("k = ")
    with pytest.raises(StudyError, match=r"a\.toml is not TOML"):
        read_toml(tmp_path / "a.toml", StudyError)
