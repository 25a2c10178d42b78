"""Responses made by hand, without a model, and their scores."""

import numpy as np
import torch

from tl_experts.corpus.sentences import Corpus
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.expertise import score_responses
from tl_experts.responses.collect import Responses
from tl_experts.responses.neurons import NeuronTable

LANGUAGES = ("en", "de", "ru", "ja", "es")


def respond(values, labels, *, table=None) -> Responses:
    """Responses without a model: one row per sentence."""
    values = torch.as_tensor(np.asarray(values, dtype=np.float32))
    corpus = Corpus(texts=tuple(f"sentence {i}" for i in range(len(labels))), labels=tuple(labels))
    table = table or NeuronTable((0,), (values.shape[1],))
    return Responses(values, corpus, table, "mlp.hook_post", "max", {"weights": "w", "tokenizer": "t"})


def expertise_of(values, labels):
    return score_responses(respond(values, labels), progress=False)


def columns_of(expertise, name):
    """One statistic by language, so that the order of the languages does not count."""
    return {language: getattr(expertise, name)[:, index] for index, language in enumerate(expertise.languages)}


def same_bits(one, other, names=STATISTICS):
    for name in names:
        mine, theirs = columns_of(one, name), columns_of(other, name)
        assert mine.keys() == theirs.keys()
        for language, column in mine.items():
            assert column.tobytes() == theirs[language].tobytes(), f"{name} of {language}: {column} {theirs[language]}"
