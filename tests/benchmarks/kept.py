"""Measures of texts, kept in a file each."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tl_experts.jobs.files import read_json, write_json
from tl_experts.steering import TextMeasures
from tl_experts.steering.writing.measures import measures_of_texts


def kept_measures(
    path: Path,
    language: str,
    prompts: list[str],
    setting: str,
    natural: TextMeasures | None,
    write: Callable[[], TextMeasures],
) -> TextMeasures:
    """What a file keeps of a method, or what `write` gives, kept; the program ends if the file is of something else."""
    if not path.is_file():
        found = write()
        perplexities = [None if value != value else value for value in found.perplexities.tolist()]
        written = {"texts": found.texts, "perplexities": perplexities, "of": found.prompts}
        write_json(path, {"prompts": prompts, "setting": setting} | written)
        return found
    kept = read_json(path)
    if (kept["prompts"], kept["setting"]) != (prompts, setting):
        sys.exit(f"{path} holds other prompts or another setting; delete it or give another --output")
    perplexities = np.array([np.nan if value is None else value for value in kept["perplexities"]])
    found = measures_of_texts(kept["texts"], language, prompts=kept["of"], natural=natural)
    return replace(found, perplexities=perplexities)
