"""Libraries are quiet while a model loads, and as loud as before afterwards."""

import warnings

import pytest
from transformers.utils import logging

from tl_experts.models.quiet import quiet_lens, quiet_transformers


@pytest.fixture
def bars():
    """Restores the setting of the test run."""
    shown = logging.is_progress_bar_enabled()
    yield
    logging.enable_progress_bar() if shown else logging.disable_progress_bar()


@pytest.mark.parametrize("shown", [True, False])
def test_progress_bars_are_off_inside_and_as_before_outside(shown, bars):
    logging.enable_progress_bar() if shown else logging.disable_progress_bar()
    with quiet_transformers():
        assert not logging.is_progress_bar_enabled()
    assert logging.is_progress_bar_enabled() == shown


def test_progress_bars_are_restored_after_an_error(bars):
    logging.enable_progress_bar()
    with pytest.raises(ZeroDivisionError), quiet_transformers():
        raise ZeroDivisionError
    assert logging.is_progress_bar_enabled()


def test_prints_are_swallowed_inside_only(capsys):
    with quiet_lens():
        print("inside")  # noqa: T201
    print("outside")  # noqa: T201
    assert capsys.readouterr().out == "outside\n"


def test_the_deprecation_notice_is_hidden_and_other_warnings_are_not():
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet_lens():
            warnings.warn("HookedTransformer is deprecated and goes with 4.0", DeprecationWarning, stacklevel=1)
            warnings.warn("weights are on two devices", UserWarning, stacklevel=1)
        warnings.warn("HookedTransformer is deprecated and goes with 4.0", DeprecationWarning, stacklevel=1)
    assert [str(warning.message)[:10] for warning in seen] == ["weights ar", "HookedTran"]
