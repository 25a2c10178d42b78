"""Bad inputs, stage by stage: what is done, and the words that its error must hold."""

from collections.abc import Callable
from typing import Any

Row = tuple[str, Callable[[Any], object], tuple[str, ...]]
QUIET: dict[str, Any] = {"progress": False}
NAN = float("nan")
INF = float("inf")
