"""Run notebooks of a folder from top to bottom: `run_tutorials.py FOLDER [NAME ...] [--store | --short]`.

Exit code 1 if a cell fails, or if the stored outputs hold an error. A notebook whose first cells say that it needs
the Gemma wheels is passed over, by name, where they are not installed. With ``--store`` a notebook that ran is written
back with what a reader should see: outputs without stderr, timings and widgets, each figure as plotly's data and as a
PNG, which is what GitHub shows. With ``--short`` every cell runs, on fewer sentences and with shorter texts, as in CI.
"""

import argparse
import base64
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import plotly.io
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tl_experts.models.catalogue import ENTRIES, weight_files

NEEDS_GEMMA = "tl-experts[gemma]"
FIGURE = "application/vnd.plotly.v1+json"
PICTURE = "image/png"
WIDTH, HEIGHT = 900, 450
"""Pixels of a PNG whose figure states no size of its own."""

ROWS, TEXTS, TOKENS = 12, 8, 8
"""Sentences per language, generated texts, and tokens of each, of a notebook that runs in short."""

SHORTER = {
    r"(load_sentences\([^()]*\)\.head\()(\d+)": ROWS,
    r"(\blimit=)(\d+)": ROWS,
    r"(\bfor row in range\()(\d+)": ROWS,
    r"(\bvectors\[:?)(\d+)": ROWS // 2,
    r"(\bgenerate_texts\(model, )(\d+)": TEXTS,
    r"(\bfallback_languages\(.*, count=)(\d+)": TEXTS,
    r"(\bmax_new_tokens=)(\d+)": TOKENS,
}
"""The numbers that decide how long a notebook runs, and the largest that runs in short."""

WHOLE = ("06_inside_one_neuron", "07_your_model_and_corpus", "15_ray")
"""Notebooks that never run in short: their cells count on the tokens, rows or pieces of what they load."""

KEPT_METADATA = ("kernelspec", "language_info")


def stored_errors(notebook: nbformat.NotebookNode) -> list[str]:
    """The errors among the outputs that a reader would see."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output["ename"] for output in outputs if output["output_type"] == "error"]


def shortened(source: str) -> str:
    """A cell as a reader runs it who takes fewer sentences and shorter texts."""
    for pattern, most in SHORTER.items():
        source = re.sub(pattern, lambda found, most=most: f"{found[1]}{min(int(found[2]), most)}", source)
    return source


def run(path: Path, *, store: bool = False, short: bool = False) -> bool:
    """Run one notebook; True if every cell succeeded and no stored output, unless it is replaced, holds an error."""
    notebook = nbformat.read(path, as_version=4)
    if not store and stored_errors(notebook):
        sys.stdout.write(f"{path}: stored outputs hold {stored_errors(notebook)}\n")
        return False
    if NEEDS_GEMMA in "".join(cell.source for cell in notebook.cells[:3]) and not weight_files(ENTRIES["gemma-3-270m"]):
        sys.stdout.write(f"{path}: passed over, the Gemma wheels are not installed\n")
        return True
    sources = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:
        # The install line is for Colab; here the environment is the one under test.
        if cell.source.lstrip().startswith(("%pip", "!pip")):
            cell.update(source="", outputs=[], execution_count=None)
        elif short and cell.cell_type == "code" and path.stem not in WHOLE:
            cell.source = shortened(cell.source)
    started = time.perf_counter()
    try:
        NotebookClient(notebook, timeout=900, kernel_name="python3", record_timing=not store).execute()
    except CellExecutionError as error:
        sys.stdout.write(f"{path}: {error}\n")
        return False
    sys.stdout.write(f"{path}: {time.perf_counter() - started:.0f} s\n")
    if store:
        for cell, source in zip(notebook.cells, sources, strict=True):
            cell.source = source
        nbformat.write(readable(notebook), path)
        sys.stdout.write(f"{path}: stored, {path.stat().st_size / 1e3:.0f} kB\n")
    return True


def readable(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with quiet outputs: running it twice gives the same file if it computes the same."""
    notebook.metadata = {name: notebook.metadata[name] for name in KEPT_METADATA if name in notebook.metadata}
    notebook.metadata.get("language_info", {}).pop("version", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = quiet_outputs(cell.outputs)
    return notebook


def quiet_outputs(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Standard output joined, figures as plotly's data with a PNG, nothing that was meant for the terminal."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name == "stderr":
                continue
            if kept and kept[-1].output_type == "stream":
                kept[-1].text += output.text
                continue
        data = output.get("data", {})
        if FIGURE in data:
            output.data = {FIGURE: data[FIGURE], PICTURE: picture(data[FIGURE])}
        elif "plotly" in data.get("text/html", "") and "<script" in data["text/html"]:
            continue  # plotly's own library, megabytes of it, that its first figure loads
        kept.append(output)
    return kept


def picture(figure: dict[str, Any]) -> str:
    """A figure as a PNG, in base64; needs kaleido and Chromium."""
    drawn = plotly.io.from_json(json.dumps({part: figure[part] for part in ("data", "layout")}), skip_invalid=True)
    size = {"width": drawn.layout.width or WIDTH, "height": drawn.layout.height or HEIGHT}
    return base64.b64encode(drawn.to_image("png", **size)).decode()


def chosen(folder: Path, names: list[str]) -> list[Path]:
    """The notebooks of a folder, or those of these names (with or without `.ipynb`)."""
    paths = sorted(folder.glob("*.ipynb"))
    if unknown := set(names) - {path.name for path in paths} - {path.stem for path in paths}:
        raise SystemExit(f"no notebook {', '.join(sorted(unknown))} in {folder}")
    return [path for path in paths if not names or {path.name, path.stem} & set(names)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the tutorials.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="just these notebooks")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--store", action="store_true", help="write the outputs back into the notebooks")
    sizes.add_argument("--short", action="store_true", help="fewer sentences and shorter texts, as in CI")
    arguments = parser.parse_args()
    paths = chosen(arguments.folder, arguments.names)
    sys.stdout.write(f"{len(paths)} notebook(s)\n")
    results = [run(path, store=arguments.store, short=arguments.short) for path in paths]
    sys.exit(0 if paths and all(results) else 1)
