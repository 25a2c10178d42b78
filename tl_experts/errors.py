"""The family of errors, and helpers for messages that name the value, the expectation and the fix."""

import difflib
from collections.abc import Collection
from operator import index
from typing import SupportsIndex


class TLExpertsError(Exception):
    """Base of all errors that tl-experts raises on purpose. Messages name the value, the expectation and the fix.

    Examples:
        >>> from tl_experts import load_sentences
        >>> try:
        ...     load_sentences("bundled", split="trian")
        ... except TLExpertsError as error:
        ...     print("no such split" if "trian" in str(error) else error)
        no such split
    """


class CorpusError(TLExpertsError):
    """Sentences that cannot be read, labelled or aligned."""


class ModelError(TLExpertsError):
    """A model that cannot be found, converted or used for language experts."""


class SiteError(TLExpertsError):
    """A hook site, hook name or layer that the model does not have."""


class ResponseError(TLExpertsError):
    """Responses that cannot be collected or scored (NaN, one language only, wrong shape...)."""


class SelectionError(TLExpertsError):
    """A selection of experts that cannot be made."""


class InterventionError(TLExpertsError):
    """An intervention that is not defined, or cannot be applied."""


class StudyError(TLExpertsError):
    """An invalid option of a study, or a folder that holds no finished study."""


class ArtefactError(TLExpertsError):
    """A saved artefact that cannot be read or written, is damaged, or belongs to another version, model or job."""


class TLExpertsWarning(UserWarning):
    """Something that works, but probably not as intended.

    Examples:
        >>> import warnings
        >>> from tl_experts import TLExpertsWarning
        >>> warnings.simplefilter("error", TLExpertsWarning)  # turn every warning of the package into an error
        >>> warnings.resetwarnings()
    """


def not_finite(what: str, value: object = "NaN or infinite") -> str:
    """The message for numbers that came out of a model and are not finite.

    Examples:
        >>> not_finite("an embedding")
        'an embedding is NaN or infinite; does the dtype of the model, or of what is stored, overflow? use float32'
    """
    return f"{what} is {value}; does the dtype of the model, or of what is stored, overflow? use float32"


def near(value: object, options: Collection[object]) -> str:
    """The end of an error message: the options that resemble the value, or a list of the options.

    Examples:
        >>> near("mlp.hook_pots", ["mlp.hook_post", "mlp.hook_pre"])
        "did you mean 'mlp.hook_post' or 'mlp.hook_pre'?"
    """
    names = [str(option) for option in options]
    close = difflib.get_close_matches(str(value), names, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(repr(name) for name in close)}?"
    listed = ", ".join(repr(name) for name in names[:12])
    return f"choose one of {listed}{', ...' if len(names) > 12 else ''}"


def require_choice(
    value: object, options: Collection[object], what: str, error: type[TLExpertsError] = TLExpertsError
) -> None:
    """Raise an error that names the value and the options, unless the value is one of them."""
    try:
        known = value in options
    except TypeError:  # a list or a dictionary cannot be looked up
        known = False
    if not known:
        raise error(f"{what} {value!r} is not known; {near(value, options)}")


def require_whole(value: object, what: str, error: type[TLExpertsError] = TLExpertsError) -> int:
    """The value as an integer; raise `error` unless it is a whole number (5 or NumPy's, but neither 5.0 nor True).

    >>> require_whole(5, "k")
    5
    """
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise error(f"{what} is {value!r}; expected a whole number, such as 5")
    return index(value)


def require_least(value: object, what: str, least: int, error: type[TLExpertsError] = TLExpertsError) -> int:
    """The value as an integer; raise `error` unless it is a whole number of at least `least`.

    >>> require_least(0, "seed", 0)
    0
    """
    number = require_whole(value, what, error)
    if number < least:
        raise error(f"{what} is {value}; expected {least} or more")
    return number


def whole_count(value: object, what: str, error: type[TLExpertsError] = TLExpertsError) -> int:
    """As `require_whole`, for numbers that people compute or read from a table: 5.0 is 5.

    >>> whole_count(5.0, "k")
    5
    """
    return int(value) if isinstance(value, float) and value.is_integer() else require_whole(value, what, error)


def require_enough(k: int, neurons: int, how: str = "top") -> None:
    """Refuse more experts than there are neurons.

    Raises:
        SelectionError: with the largest number there can be.
    """
    if k > neurons:
        raise SelectionError(f"k is {k}, but there are {neurons} neurons to choose from; lower k")
    if how == "both" and 2 * k > neurons:
        raise SelectionError(
            f"k is {k}, and how='both' takes 2 x {k} of {neurons} neurons; lower k to {neurons // 2} or less"
        )
