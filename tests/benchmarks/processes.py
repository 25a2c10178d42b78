"""Jobs 9 to 11: each in a process of its own, for its memory, its imports, its whole command."""

import json
import statistics
import subprocess
import sys
import tempfile

from tests.benchmarks.inputs import Setting
from tests.benchmarks.timing import Row, in_turn, seconds

MEMORY = """
import json, resource, sys
from tests.benchmarks.inputs import Setting
from tl_experts import find_experts

setting = Setting(sys.argv[1], rows=int(sys.argv[2]))
model, corpus = setting.model, setting.corpus
find_experts(model, corpus.head(2), k=1, truncate=True, progress=False)  # imports and compiled code are not the job's
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
find_experts(model, corpus, truncate=True, progress=False)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
responses = len(corpus) * model.cfg.n_layers * model.cfg.d_mlp * 4 / 2**20
print(json.dumps([(after - before) / 1024, responses]))
"""
"""Peaks of resident memory in KiB (Linux): what is loaded with the model counts in both."""


def memory(setting: Setting) -> Row:
    """Peak over the loaded model against the responses themselves."""
    found = [
        json.loads(_run("-c", MEMORY, setting.name, str(setting.rows)).splitlines()[-1])
        for _ in range(min(3, setting.pairs))
    ]
    ours, responses = (statistics.median(column) for column in zip(*found, strict=True))
    over = [mine - theirs for mine, theirs in found]
    return Row(
        9,
        "peak memory of job 4 over the loaded model",
        ours,
        responses,
        ours / responses,
        min(mine / theirs for mine, theirs in found),
        max(mine / theirs for mine, theirs in found),
        "<= responses + 300 MiB",
        statistics.median(over) <= 300,
        unit="MiB",
        note="float32 responses in memory",
    )


def importing(setting: Setting) -> Row:
    """`import tl_experts` against an empty process."""
    return _start(10, "import tl_experts", ["-c", "import tl_experts"], 0.3, setting.pairs)


def helping(setting: Setting) -> Row:
    """`tl-experts --help` against the same."""
    return _start(10, "tl-experts --help", ["-m", "tl_experts", "--help"], 0.5, setting.pairs)


def demo(setting: Setting) -> Row:
    """The README's main job."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "tl_experts", "demo", "--model", "polyglot-mini", "--quiet", "--output"]
        times = [seconds(lambda run=run: _run(*command, f"{folder}/{run}")) for run in range(2)]
    ours = statistics.median(times)
    return Row(11, "tl-experts demo --model polyglot-mini", ours, None, None, None, None, "< 60 s", ours < 60)


def _start(number: int, job: str, command: list[str], target: float, pairs: int) -> Row:
    return in_turn(
        number,
        job,
        lambda: _run(*command),
        lambda: _run("-c", ""),
        target=target,
        direction="seconds",
        pairs=pairs,
        note="an empty Python process",
    )


def _run(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout
