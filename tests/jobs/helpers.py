"""What the tests of files share."""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

ARRAYS = {"score": np.array([0.5, -1.25], dtype=np.float32), "unit": np.array([[3, 1]], dtype=np.int64)}


def files(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder, hidden files included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


some_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


NAMES = ("artefact", "artefact.safetensors")
