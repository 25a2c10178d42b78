"""Weight and time to open of pages, and how fast the live inspector is: a table in Markdown.

    python -m tests.benchmarks.pages STUDY/report.html FIND/inspector.html ... [--live FIND] [--times 5]

Headless Chromium opens every page `times` times, each in a fresh document; the numbers are medians. With ``--live``,
`tl-experts inspect FIND` is started `times` times without the activations that it keeps in the folder (they are
deleted), and once more with them. First paint and loaded model count from the command. Then neurons that are not on the
page are asked for, from the change of the address to the table of scores, to the histogram, and to the histogram of all
sentences: one as soon as the model is loaded, others once the activations are kept.
"""

import argparse
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from tests.browser import chromium, wait_for
from tl_experts.jobs.files import INSPECTOR_PAGE
from tl_experts.pages.inspector.kept import array_file, note_file
from tl_experts.pages.inspector.page import saved_data

Times = Mapping[str, float]
"""Milliseconds by what was timed."""

SETTLED = 300
"""Seconds that the server has at most for the activations that it keeps."""

FIGURE = ".plot .main-svg, #histogram"
"""The first figure of a report, or of a neuron's page."""

WATCH = f"""
new MutationObserver((_, watching) => {{
  if (!document.querySelector('{FIGURE}')) return;
  window.drawnAt = performance.now();
  watching.disconnect();
}}).observe(document, {{ childList: true, subtree: true }});
"""
TIMES = """
return {
  "first paint": performance.getEntriesByName("first-contentful-paint")[0].startTime,
  loaded: performance.getEntriesByType("navigation")[0].loadEventEnd,
  "first figure": window.drawnAt,
  origin: performance.timeOrigin,
};
"""
ASK = """
const [name, done] = arguments, begun = performance.now();
location.hash = name.replace(" ", "");
let first = null, drawn = null;
const look = () => {
  const there = (id) => document.getElementById("name")?.textContent === name && document.getElementById(id);
  if (there("scores")) first ??= performance.now() - begun;
  if (there("histogram")) drawn ??= performance.now() - begun;
  if (there("histogram") && !there("so-far")) done([first, drawn, performance.now() - begun]);
  else requestAnimationFrame(look);
};
look();
"""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Weight and time to open of pages.")
    parser.add_argument("pages", type=Path, nargs="*", help="HTML files")
    parser.add_argument("--live", type=Path, help="folder that `tl-experts inspect` opens; it has its page already")
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    with chromium() as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        measured = {
            f"{page.parent.name}/{page.name}": (
                page.stat().st_size,
                [opened(driver, page) for _ in range(arguments.times)],
            )
            for page in arguments.pages
        }
        if measured:
            sys.stdout.write(table(measured))
        if arguments.live:
            runs = [live(driver, arguments.live, seed) for seed in range(arguments.times)]
            sys.stdout.write("\n" + live_table(runs))


def opened(driver: Any, page: Path | str) -> Times:
    """Open a page and wait for its first figure."""
    driver.get("about:blank")
    driver.get(page.resolve().as_uri() if isinstance(page, Path) else page)
    wait_for(driver, "window.drawnAt && performance.getEntriesByName('first-contentful-paint').length")
    found: Times = driver.execute_script(TIMES)
    return found


def live(driver: Any, folder: Path, seed: int, *, neurons: int = 5) -> Times:
    """Start the live inspector without and with kept activations, and ask for neurons that are not on its page."""
    data = saved_data((folder / INSPECTOR_PAGE).read_text("utf-8"))
    if data is None:
        raise SystemExit(f"{folder} has no page of this version; write it first: tl-experts inspect {folder} --save")
    known = {tuple(record["neuron"]) for record in data["records"]}
    for file in (array_file(folder), note_file(folder)):
        file.unlink(missing_ok=True)
    with loaded(driver, folder) as found:
        first, *rest = unseen(driver, known, seed, neurons + 1)
        at_once = ask(driver, first)
        deadline = time.time() + SETTLED
        while not note_file(folder).is_file() and time.time() < deadline:
            time.sleep(0.1)
        answers = [ask(driver, one) for one in rest]
    with loaded(driver, folder):
        (again,) = unseen(driver, known, seed + 1000, 1)
        later = ask(driver, again)
    return {
        **found,
        "scores of a neuron, as soon as the model is loaded": at_once[0],
        "its histogram": at_once[1],
        "its histogram, of all sentences": at_once[2],
        "scores of a neuron, once activations are kept": median(one[0] for one in answers),
        "its histogram, once activations are kept": median(one[2] for one in answers),
        "scores of a neuron, as soon as the model is loaded the next time": later[0],
        "its histogram, the next time": later[2],
    }


@contextmanager
def loaded(driver: Any, folder: Path) -> Iterator[Times]:
    """The live inspector, opened and with its model loaded: how long that took from the command."""
    with serving(folder) as (begun, address):
        found = opened(driver, address)
        shift = found["origin"] - begun * 1000
        wait_for(driver, "document.querySelector('#loading') === null", 600)
        yield {
            "first paint": shift + found["first paint"],
            "first figure": shift + found["first figure"],
            "model loaded": (time.time() - begun) * 1000,
        }


def ask(driver: Any, neuron: tuple[int, int]) -> tuple[float, float, float]:
    """Milliseconds until the scores of a neuron are shown, its histogram, and its histogram of all sentences."""
    layer, index = neuron
    scores, histogram, complete = driver.execute_async_script(ASK, f"L{layer} N{index}")
    return scores, histogram, complete


def unseen(driver: Any, known: set[tuple[int, ...]], seed: int, count: int) -> list[tuple[int, int]]:
    """Neurons of the model that the page does not hold."""
    lines = driver.execute_async_script("fetch('/api/loading').then((got) => got.text()).then(arguments[0])")
    widths = dict(json.loads(lines.splitlines()[-1])["layers"])
    draw = random.Random(seed)
    found: list[tuple[int, int]] = []
    while len(found) < count:
        layer = draw.choice(list(widths))
        one = (layer, draw.randrange(widths[layer]))
        if one not in known and one not in found:
            found.append(one)
    return found


@contextmanager
def serving(folder: Path) -> Iterator[tuple[float, str]]:
    """`tl-experts inspect` in a process of its own: when it was started, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tl_experts", "inspect", str(folder), "--port", str(port), "--quiet"]
    begun = time.time()
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if server.poll() is not None or time.time() > begun + 120:
                    raise SystemExit(f"{' '.join(command)} does not answer") from None
                time.sleep(0.01)
        yield begun, f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


def table(measured: Mapping[str, tuple[int, Sequence[Times]]]) -> str:
    """Weight, and the medians of the times, of each page."""
    lines = ["| page | weight | first paint | loaded | first figure |", "| --- | --- | --- | --- | --- |"]
    for page, (weight, times) in measured.items():
        middle = [
            f"{median(one[name] for one in times) / 1000:.2f} s" for name in ("first paint", "loaded", "first figure")
        ]
        lines.append(f"| {page} | {weight / 1e6:.2f} MB | {' | '.join(middle)} |")
    return "\n".join(lines) + "\n"


def live_table(runs: Sequence[Times]) -> str:
    """The medians of the live inspector's times, with the smallest and the largest."""
    lines = ["| live inspector | median | range |", "| --- | --- | --- |"]
    for name in runs[0]:
        seconds = [run[name] / 1000 for run in runs]
        lines.append(f"| {name} | {median(seconds):.2f} s | {min(seconds):.2f} to {max(seconds):.2f} s |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
