"""Messages point at the option that was meant."""

import re

import pytest

from tl_experts.errors import CorpusError, TLExpertsError, near, require_choice


def test_an_error_points_at_the_option_that_was_meant() -> None:
    require_choice("dev", ["dev", "test"], "split", CorpusError)
    with pytest.raises(CorpusError, match=re.escape("split 'tset' is not known; did you mean 'test'?")):
        require_choice("tset", ["dev", "test"], "split", CorpusError)
    with pytest.raises(TLExpertsError, match=re.escape("choose one of 'dev', 'test'")):
        require_choice("zzz", ["dev", "test"], "split")


def test_a_long_list_of_options_is_cut() -> None:
    assert near("zzz", [f"option{i}" for i in range(12)]).endswith("'option11'")
    assert near("zzz", [f"option{i}" for i in range(13)]).endswith("'option11', ...")
