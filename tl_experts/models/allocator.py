"""Memory that a pass frees is kept for the next layer, not given back to the system."""

import ctypes
import functools
import os
import platform

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3

LARGEST = 32 * 2**20
"""Bytes of the largest block that comes from the heap: glibc takes no more."""

KEPT = 256 * 2**20
"""Bytes of free heap that stay with the process."""


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep what is freed, once for the process; no other allocator is touched.

    HookedTransformer makes and frees some tensors of a batch's size in every layer. By default glibc gives the memory
    back each time and fetches it again page by page: 3 million page faults, and a quarter of the time, for
    polyglot-mini over 3,000 sentences. Where the environment sets malloc's own variables, they stand.

    Returns:
        Whether anything was changed.
    """
    theirs = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if theirs or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # The first two belong together: setting either ends glibc's own adjusting of both.
    settings = ((_M_MMAP_THRESHOLD, LARGEST), (_M_TRIM_THRESHOLD, KEPT), (_M_TOP_PAD, LARGEST))
    return [mallopt(option, value) for option, value in settings] == [1, 1, 1]
