"""Inputs of the jobs."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from tl_experts import Corpus, load_model, load_sentences
from tl_experts.corpus.pairs import load_paraphrases
from tl_experts.models.catalogue import ENTRIES
from tl_experts.models.wheels import model_folder

LANGUAGES = ("en", "de", "fr", "es", "ja", "zh")


@dataclass
class Setting:
    """The model of a run, its sentences, and the number of repetitions."""

    name: str
    device: str = "cpu"
    pairs: int = 5
    rows: int = 500
    """Sentences of each of the six languages: 240 dev, 200 test, 60 of the paraphrases."""

    neurons: int = 36_864
    sentences: int = 3_000

    @cached_property
    def model(self) -> Any:
        """The model as `load_model` returns it."""
        return load_model(self.name, device=self.device)

    @cached_property
    def body(self) -> Any:
        """Hugging Face's own model without its unembedding."""
        from transformers import AutoModel

        folder = model_folder(ENTRIES[self.name]) if self.name in ENTRIES else self.name
        return AutoModel.from_pretrained(folder, dtype=torch.float32).to(self.device).eval()

    @cached_property
    def hugging_face(self) -> Any:
        """Hugging Face's own model, for its `generate`."""
        from transformers import AutoModelForCausalLM

        folder = model_folder(ENTRIES[self.name]) if self.name in ENTRIES else self.name
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(self.device).eval()

    @cached_property
    def corpus(self) -> Corpus:
        """Six languages with equally many sentences each."""
        paraphrases = load_paraphrases()
        splits = [load_sentences("bundled", split=split, languages=LANGUAGES) for split in ("dev", "test")]
        texts = {
            language: [text for split in splits for text in split[language].texts]
            + list(paraphrases[language].sentences)
            for language in LANGUAGES
        }
        return Corpus.from_texts({language: rows[: self.rows] for language, rows in texts.items()}, name="benchmark")

    @cached_property
    def responses(self) -> tuple[np.ndarray, np.ndarray]:
        """Made-up responses ``[sentence neuron]`` with ties, and the language of each sentence."""
        rng = np.random.default_rng(0)
        values = rng.standard_normal((self.sentences, self.neurons), dtype=np.float32)
        np.maximum(values, -0.17, out=values)  # like an activation function: many ties near zero
        return values, np.arange(self.sentences) % len(LANGUAGES)
