"""Activations of all neurons on disk, so that the inspector has them at once the next time.

Two files: ``activations.npy``, ``[neuron token]`` so that one neuron is one short read, and ``activations.json`` with
its checksum and the mark of the job, which says everything that decides the values.
"""

import logging
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float

from tl_experts.errors import ArtefactError
from tl_experts.jobs.arrays import read_array, write_array
from tl_experts.jobs.files import checksum, read_json, write_json
from tl_experts.jobs.job import Job, recover

log = logging.getLogger(__name__)

_NUMBER = 0
"""There is one piece of this work."""

Activations = Float[np.ndarray, "neuron token"]


def load_activations(folder: Path, job: Job, shape: tuple[int, int]) -> Activations | None:
    """The activations of a job, mapped into memory; None if there are none, or others, or damaged ones (logged)."""
    note = note_file(folder)
    return recover(partial(_read, folder, job, shape)) if note.is_file() else None


def keep_activations(folder: Path, job: Job, values: Activations) -> Activations:
    """Write the activations of a job in place of any others.

    Returns:
        The same, mapped into memory; where they cannot be written (which is logged), those that were given.
    """
    try:
        # Until the values are whole, no note may vouch for them.
        note_file(folder).unlink(missing_ok=True)
        digest = write_array(array_file(folder), values)
        write_json(note_file(folder), {**job.stamp(_NUMBER), "sha256": digest})
        return read_array(array_file(folder), values.shape, "float32")
    except (ArtefactError, OSError) as error:
        log.warning("the inspector computes its activations again the next time: %s", error)
        return values


def _read(folder: Path, job: Job, shape: tuple[int, int]) -> Activations:
    note = read_json(note_file(folder))
    job.require_stamp(note, _NUMBER, note_file(folder))
    values = read_array(array_file(folder), shape, "float32")
    if checksum(array_file(folder)) != note.get("sha256"):
        raise ArtefactError(f"{array_file(folder)} does not match its checksum")
    return values


def array_file(folder: Path) -> Path:
    """The file of the activations."""
    return folder / "activations.npy"


def note_file(folder: Path) -> Path:
    """What vouches for them; written last."""
    return folder / "activations.json"
