"""Freed memory is kept: measured in page faults, in a process of its own, as the setting is the whole process's."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import tl_experts

FAULTS = """
import resource, sys, torch
from runpy import run_path  # the module alone: its package imports what takes seconds
keep_freed_memory = run_path(sys.argv[1])["keep_freed_memory"]
changed = keep_freed_memory()
def work():
    parts = [torch.ones(6 << 18) for _ in range(20)]  # 6 MiB each
for _ in range(3):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(changed, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator only")


def faults(**variables: str) -> tuple[bool, int]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    clean.pop("GLIBC_TUNABLES", None)
    run = [sys.executable, "-c", FAULTS, str(Path(tl_experts.__file__).parent / "models" / "allocator.py")]
    said = subprocess.run(run, env=clean | variables, capture_output=True, text=True, check=True).stdout.split()
    return said[0] == "True", int(said[1])


@glibc
def test_a_pass_does_not_fetch_its_memory_again() -> None:
    changed, after = faults()
    assert changed
    # glibc's first threshold, kept: by default it moves with what was freed, in ways that differ from run to run.
    left_alone, before = faults(MALLOC_MMAP_THRESHOLD_="131072")
    assert not left_alone  # who sets malloc's variables knows better
    assert after * 10 < before
