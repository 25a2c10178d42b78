"""The ceiling of retrieval: what a sentence encoder, another model, finds. It needs the extra ``ceiling``."""

import torch

from tl_experts.corpus.sentence_encoder import ENCODER, encoded
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import StudyError
from tl_experts.study.spaces import Space

CEILING = f"{ENCODER} (another model)"
"""The ceiling as tables call it."""

CEILING_VIEW = "its own vectors"


def ceiling_space(corpus: Corpus) -> Space:
    """The encoder's vectors of an aligned corpus, by language.

    Raises:
        StudyError: the encoder is not installed.
        CorpusError: the corpus is not aligned.
    """
    rows = corpus.parallel()
    vectors = encoded(corpus.texts, StudyError)
    return {language: torch.from_numpy(vectors[own]) for language, own in rows.items()}
