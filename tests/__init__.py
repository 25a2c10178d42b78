"""The tests.

`shapes` is imported here because jaxtyping reaches it as an attribute; its import hook puts this decorator everywhere.
"""

import jaxtyping

from tests import shapes as shapes

jaxtyping.jaxtyped = shapes.decorator
