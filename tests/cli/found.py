"""`tl-experts` with many small shards, in a process of its own: `tests.forks` imports this, torchrun runs it."""

import ctypes
import os
import sys

import transformer_lens  # noqa: F401 (with what a run imports, so that it begins at once)
import transformers.models.llama.modeling_llama  # noqa: F401

import tl_experts.experts.find
import tl_experts.models.loading
import tl_experts.responses.collect
import tl_experts.responses.collect_to_disk
from tl_experts.cli.commands import main

PART = 48
"""Sentences per shard."""

FIND = ("find", "polyglot-mini-small", "--limit", "30", "--k", "20", "--quiet", "--output")


def find(folder: str) -> None:
    """Find experts into a folder."""
    tl_experts.responses.collect.PART = PART
    sys.argv = ["tl-experts", *FIND, folder]
    main()


def find_without_rights(folder: str) -> None:
    """The same without the capability that lets root write where nobody may (Linux)."""
    if os.geteuid() == 0:
        override, version = 1, 0x20080522  # CAP_DAC_OVERRIDE, _LINUX_CAPABILITY_VERSION_3
        libc = ctypes.CDLL(None, use_errno=True)
        header = (ctypes.c_uint32 * 2)(version, 0)
        held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
        if not libc.capget(header, held):
            held[0] &= ~(1 << override)
        if libc.capset(header, held):
            raise OSError(ctypes.get_errno(), "capset")
    find(folder)


if __name__ == "__main__":
    tl_experts.responses.collect.PART = PART
    main()
