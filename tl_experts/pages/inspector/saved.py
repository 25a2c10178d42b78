"""What can be read of a run before torch is imported, so that the live inspector opens at once."""

import re
from pathlib import Path

from tl_experts.errors import ArtefactError, SelectionError
from tl_experts.jobs.artefacts import load_artefact

FIND_MANIFEST = "find.json"
"""What ``tl-experts find`` notes in its folder: the model, which nothing else there names."""

EXPERTS = "experts"
"""The experts in the folder of a run."""

RESPONSES = "responses"
"""The store of responses in the folder of ``find``."""

_NEURON = re.compile(r"\s*L?\s*(\d+)(?:\s*[ .,:/]\s*N?|\s*N)\s*(\d+)\s*", re.IGNORECASE | re.ASCII)


def expert_counts(folder: str | Path) -> dict[str, int]:
    """The number of experts of each language in a run's folder.

    Raises:
        ArtefactError: no experts, or damaged ones.
    """
    arrays, header = load_artefact(Path(folder) / EXPERTS, "experts")
    try:
        # One count per language, not `bincount`: its memory grows with the largest number, which may be damaged.
        return {str(code): int((arrays["language_of"] == at).sum()) for at, code in enumerate(header["languages"])}
    except (KeyError, TypeError) as error:
        raise ArtefactError(f"{folder} does not hold a complete set of experts ({error!r}); create it again") from error


def parse_neuron(text: str) -> tuple[int, int]:
    """Layer and neuron from ``L12 N847``.

    Examples:
        >>> parse_neuron("L12 N847")
        (12, 847)

    Raises:
        SelectionError: it cannot be read.
    """
    found = _NEURON.fullmatch(text)
    if found is None:
        raise SelectionError(f"cannot read {text!r} as a neuron; write it as L12 N847")
    return int(found[1]), int(found[2])
