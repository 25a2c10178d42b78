"""Options read from a file: each checked against the annotated type of its field."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tl_experts.errors import TLExpertsError, near, require_choice

_KINDS = {str: "a text", int: "a whole number"}


def checked_option(name: str, kind: Any, value: Any, least: Mapping[str, int], error: type[TLExpertsError]) -> Any:
    """The value of an option, as its annotated type.

    Args:
        name: of the option, for messages.
        kind: a text, whole number, `Literal`, tuple of these, or one of these or None.
        value: as TOML or JSON gives it: a tuple may be a list.
        least: the smallest value of some options, or of their items.
        error: what is raised.

    Raises:
        TLExpertsError: of the given kind: the value is not of this type, or too small.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        require_choice(value, inner, name, error)
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise error(f"{name} is {value!r}; expected a list")
        return tuple(checked_option(name, inner[0], item, least, error) for item in value)
    if origin is UnionType:  # int | None
        return None if value is None else checked_option(name, inner[0], value, least, error)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise error(f"{name} is {value!r}; expected {_KINDS[kind]}")
    if name in least and value < least[name]:
        raise error(f"{name} is {value}; expected {least[name]} or more")
    return value


def require_options(
    kind: type, options: Mapping[str, Any], needed: Mapping[str, str], where: str, error: type[TLExpertsError]
) -> None:
    """Refuse options by name that a dataclass does not have, or that are missing.

    Args:
        kind: the dataclass.
        options: by name, as read from TOML or JSON.
        needed: an example of each option that must be given.
        where: the file, for messages.
        error: what is raised.

    Raises:
        TLExpertsError: of the given kind: an option is unknown or missing.
    """
    known = list(get_type_hints(kind))
    for name in options:
        if name not in known:
            raise error(f"{where}: option {name!r} is not known; {near(name, known)}")
    missing = [name for name in needed if name not in options]
    if missing:
        raise error(f"{where}: {' and '.join(missing)} must be given, as in {missing[0]} = {needed[missing[0]]!r}")


def read_toml(path: Path, error: type[TLExpertsError]) -> dict[str, Any]:
    """A TOML file.

    Raises:
        TLExpertsError: of the given kind: the file is not TOML, or cannot be read.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as reason:
        raise error(f"{path} is not TOML: {reason}") from reason
