"""Jobs 9 to 11: each in its own process, to measure memory, imports or a whole command."""

import json
import statistics
import subprocess
import sys
import tempfile

from tests.benchmarks.inputs import Setting
from tests.benchmarks.timing import Row, row_of, seconds

MEMORY = """
import json, sys, tempfile
from pathlib import Path
from tests.benchmarks.inputs import Setting
from tests.benchmarks.timing import resident
from tl_experts import Batching, Corpus, Reading, find_experts

name, rows, times, on_disk = sys.argv[1], *map(int, sys.argv[2:])
setting = Setting(name, rows=rows)
model, corpus = setting.model, setting.corpus
if times > 1:
    texts = {code: [f"{text} {n}" for n in range(times) for text in corpus[code].texts] for code in corpus.languages}
    corpus = Corpus.from_texts(texts)
reading = Reading(batching=Batching(truncate=True))
find_experts(model, corpus.head(2), k=1, reading=reading, progress=False)  # imports and compiled code do not count
with tempfile.TemporaryDirectory() as folder:
    Path("/proc/self/clear_refs").write_text("5")  # nor does the peak of loading the model
    before = resident("VmRSS")
    find_experts(model, corpus, reading=reading, progress=False, folder=folder if on_disk else None)
    after = resident("VmHWM")
print(json.dumps([after - before, len(corpus) * model.cfg.n_layers * model.cfg.d_mlp * 4 / 2**20]))
"""
"""Peak resident memory in MiB (Linux) above the loaded model, and the size of the responses."""


ROOM = 300
"""MiB allowed above the responses."""

FLAT = 1536
"""MiB allowed where the responses are on disk."""

TIMES = 10
"""How many times the sentences the disk-backed run has."""


def memory(setting: Setting) -> Row:
    """Peak over the loaded model against the responses themselves."""
    found = [_peak(setting, 1, on_disk=False) for _ in range(min(3, setting.pairs))]
    room = statistics.median(mine - theirs for mine, theirs in found)
    return _memory_row("peak memory of job 4 over the loaded model", found, f"<= responses + {ROOM} MiB", room <= ROOM)


def memory_on_disk(setting: Setting) -> Row:
    """The same at ten times the sentences, the responses on disk."""
    found = [_peak(setting, TIMES, on_disk=True)]
    job = f"the same, on disk, {TIMES} times the sentences"
    return _memory_row(job, found, f"< {FLAT} MiB", found[0][0] < FLAT)


def _peak(setting: Setting, times: int, *, on_disk: bool) -> tuple[float, float]:
    ran = _run("-c", MEMORY, setting.name, str(setting.rows), str(times), str(int(on_disk)))
    ours, responses = json.loads(ran.splitlines()[-1])
    return ours, responses


def _memory_row(job: str, found: list[tuple[float, float]], target: str, met: bool) -> Row:
    ours, responses = (statistics.median(column) for column in zip(*found, strict=True))
    ratios = [mine / theirs for mine, theirs in found]
    return Row(
        9,
        job,
        ours,
        responses,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        target,
        met,
        unit="MiB",
        note="the float32 responses",
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
    _run(*command)  # so that Python's compiled files exist
    times = [(seconds(lambda: _run(*command)), seconds(lambda: _run("-c", ""))) for _ in range(pairs)]
    return row_of(number, job, times, target=target, direction="seconds", note="an empty Python process")


def _run(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout
