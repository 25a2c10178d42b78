"""The inspector: open an expert, see what drives it, what it writes, and what happens when it is set.

`inspect` gives an object that renders in Jupyter and Colab and saves as one HTML file; ``tl-experts inspect RUN``
serves the same views with a live model beside them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tl_experts.pages.inspector.inspection import Inspection, inspect

__all__ = ["Inspection", "inspect"]


def __getattr__(name: str) -> Any:
    # Imported on first use: the server shows its page before it needs torch.
    if name not in __all__:
        raise AttributeError(
            f"module 'tl_experts.pages.inspector' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    from tl_experts.pages.inspector import inspection

    return getattr(inspection, name)
