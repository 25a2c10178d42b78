"""The tests; `shapes` is imported here because jaxtyping reaches it as an attribute."""

from tests import shapes as shapes
