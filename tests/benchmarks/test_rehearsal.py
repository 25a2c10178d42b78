"""Memory of a model that is loaded from its folder: the weights once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.rehearsal import Shape

SIZES = {"layers": 2, "hidden": 1024, "width": 4096, "heads": 8, "key_value_heads": 2, "vocabulary": 32_000}


def test_the_default_is_llama_3_8b():
    assert Shape().bytes == 2 * 8_030_261_248  # the number of parameters on its model card


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads memory from /proc (Linux)")
def test_loading_holds_the_weights_once(tmp_path):
    options = [f"--{name.replace('_', '-')}={value}" for name, value in SIZES.items()]
    command = [sys.executable, "-m", "tests.benchmarks.rehearsal", *options, "--sentences=8", "--tokens=1"]
    done = subprocess.run([*command, f"--folder={tmp_path}"], capture_output=True, text=True, check=True)
    *steps, last = map(json.loads, done.stdout.splitlines())
    write, load, *later = steps
    assert [step["step"] for step in later] == ["find_experts", "generate", "embed"]
    weights = last["weights_mib"]
    assert weights == pytest.approx(Shape(**SIZES).bytes / 2**20, abs=0.1)
    assert 0 < load["peak_mib"] - write["held_mib"] < 1.4 * weights
    assert load["anonymous_mib"] - write["anonymous_mib"] < 0.4 * weights  # the rest is mapped from the files
    assert max(step["peak_mib"] for step in later) < load["held_mib"] + 300
    assert list(tmp_path.iterdir()) == []
