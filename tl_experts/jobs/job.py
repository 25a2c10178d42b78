"""Jobs: the document that identifies resumable work.

A folder of work belongs to one job. The job's document says everything that decides the results (model, corpus,
options); the folder holds a copy, and every piece of the work carries the job's mark, so that work of different jobs is
never mixed.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from tl_experts.errors import ArtefactError
from tl_experts.jobs.files import read_json, write_json

log = logging.getLogger(__name__)

FILE = "job.json"
"""The copy of the document in the folder of a job."""

Found = TypeVar("Found")

Explain = Callable[[Mapping[str, Any], Mapping[str, Any]], str | None]


@dataclass(frozen=True)
class Job:
    """What identifies resumable work.

    Examples:
        >>> Job({"layers": (0, 1)}) == Job({"layers": [0, 1]})  # a document holds what JSON holds
        True
    """

    document: dict[str, Any]
    """Everything that decides the results, as JSON can hold it."""

    explain: Explain | None = field(default=None, compare=False, repr=False)
    """Says more of a difference than the two values do; gets the document in the folder and this one."""

    def __post_init__(self) -> None:
        """Bring the document into the form in which it is read back."""
        object.__setattr__(self, "document", json.loads(json.dumps(self.document)))

    @classmethod
    def read(cls, folder: Path) -> "Job":
        """The job of a folder.

        Raises:
            ArtefactError: the folder holds no job, or its document is damaged.
        """
        return cls(read_json(folder / FILE, fix=f"delete {folder} to start over"))

    @cached_property
    def mark(self) -> str:
        """The SHA-256 of the document, hexadecimal: every piece carries it."""
        return hashlib.sha256(json.dumps(self.document, sort_keys=True).encode()).hexdigest()

    def stamp(self, number: int) -> dict[str, Any]:
        """What a piece carries to show that it is this job's."""
        return {"job": self.mark, "number": number}

    def require_stamp(self, note: Mapping[str, Any], number: int, path: Path) -> None:
        """Refuse a piece that strayed into the folder from another job, or has another number.

        Raises:
            ArtefactError: the stamp differs.
        """
        if {name: note.get(name) for name in ("job", "number")} != self.stamp(number):
            raise ArtefactError(f"{path} belongs to another job, or to another piece of this one")

    def require_same(self, found: Mapping[str, Any], folder: Path) -> None:
        """Refuse a folder that belongs to another job: the one check, with the one message, of all resumable work.

        Args:
            found: the document in the folder.
            folder: for the message.

        Raises:
            ArtefactError: the documents differ; the message names the first difference.
        """
        difference = _difference(found, self.document)
        if difference is not None and self.explain is not None:
            difference = self.explain(found, self.document) or difference
        if difference is not None:
            raise ArtefactError(
                f"{folder} holds another job: {difference}; choose another folder, or delete it to start over"
            )

    def is_in(self, folder: Path) -> bool:
        """Whether the job was begun in a folder; False if no job was.

        Raises:
            ArtefactError: the folder holds another job.
        """
        if not (folder / FILE).is_file():
            return False
        self.require_same(Job.read(folder).document, folder)
        return True

    def begin(self, folder: Path) -> None:
        """Write the document into a folder, unless the job was begun there before.

        Raises:
            ArtefactError: the folder holds another job, or cannot be written.
        """
        if not self.is_in(folder):
            write_json(folder / FILE, self.document)


def recover(load: Callable[[], Found]) -> Found | None:
    """Load a piece of work; None if it is damaged, which is logged: the piece is then recomputed."""
    try:
        return load()
    except ArtefactError as error:
        log.warning("recomputing a piece: %s", error)
        return None


def _difference(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> str | None:
    """The first difference between two documents, in words."""
    for name in sorted(set(there) | set(here)):
        one, other = there.get(name), here.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            if (inside := _difference(one, other, f"{prefix}{name}.")) is not None:
                return inside
        elif one != other:
            return f"{prefix}{name} is {one!r} there and {other!r} here"
    return None
