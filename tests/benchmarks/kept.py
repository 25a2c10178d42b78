"""Texts that a model writes under several interventions, each measured once and kept in a file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tl_experts.jobs.files import read_json, write_json
from tl_experts.models import Model
from tl_experts.steering import Decoding, TextMeasures, continue_side_by_side
from tl_experts.steering.tuning.building import Built
from tl_experts.steering.writing.fluency import text_perplexities
from tl_experts.steering.writing.measures import measures_of_texts


@dataclass(frozen=True, eq=False)
class WrittenTexts:
    """What a model writes in a language, in a folder that a killed run resumes from."""

    model: Model
    folder: Path
    language: str
    decoding: Decoding

    def measured(
        self, parts: Mapping[str, Built | None], prompts: Sequence[str], natural: TextMeasures | None, *, texts: int = 1
    ) -> dict[str, TextMeasures]:
        """The texts of each part, written side by side unless they are kept.

        Args:
            parts: what steers, by a name; None: without steering.
            prompts: what the texts continue.
            natural: texts to compare with.
            texts: for each prompt.
        """
        missing = {name: part for name, part in parts.items() if not self._path(name).is_file()}
        if missing:
            written = continue_side_by_side(
                self.model, prompts, list(missing.values()), texts=texts, decoding=self.decoding, progress=False
            )
            for name, own in zip(missing, written, strict=True):
                self._keep(name, prompts, [text for some in own for text in some], parts[name], texts)
        return {name: self._kept(name, prompts, part, texts, natural) for name, part in parts.items()}

    def _path(self, name: str) -> Path:
        return self.folder / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.json"

    def _keep(self, name: str, prompts: Sequence[str], written: list[str], part: Built | None, texts: int) -> None:
        found = measures_of_texts(written, self.language, prompts=_each(prompts, texts))
        perplexities: list[float | None] = [None] * len(written)
        # Perplexity is dear, and unused where no text is in the language.
        if part is None or found.share.value > 0:
            read = text_perplexities(self.model, written, prompts=_each(prompts, texts), progress=False)
            perplexities = [None if value != value else value for value in read.tolist()]
        write_json(
            self._path(name),
            {
                "prompts": list(prompts),
                "part": str(part),
                "decoding": str(self.decoding),
                "texts": written,
                "perplexities": perplexities,
            },
        )

    def _kept(
        self, name: str, prompts: Sequence[str], part: Built | None, texts: int, natural: TextMeasures | None
    ) -> TextMeasures:
        """What a file keeps; the program ends if the file is of something else."""
        kept = read_json(self._path(name))
        asked = (list(prompts), str(part), str(self.decoding), len(prompts) * texts)
        if (kept["prompts"], kept["part"], kept["decoding"], len(kept["texts"])) != asked:
            raise SystemExit(f"{self._path(name)} holds other texts; delete it or give another --output")
        perplexities = np.array([np.nan if value is None else value for value in kept["perplexities"]])
        found = measures_of_texts(kept["texts"], self.language, prompts=_each(prompts, texts), natural=natural)
        return replace(found, perplexities=perplexities)


def _each(prompts: Sequence[str], texts: int) -> list[str]:
    return [prompt for prompt in prompts for _ in range(texts)]
