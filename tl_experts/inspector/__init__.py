"""The inspector: open an expert, see what drives it, what it writes, and what happens when it is set.

`inspect` gives an object that renders in Jupyter and Colab and saves as one HTML file; ``tl-experts inspect RUN``
serves the same views with a live model beside them.
"""

from tl_experts.inspector.inspection import Inspection, inspect

__all__ = ["Inspection", "inspect"]
