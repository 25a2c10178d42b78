"""Draw the thumbnails of the gallery page: one of each tutorial, and one of each figure of `tl_experts.plots`.

    python -m tests.draw_gallery STUDY COMPARISON ALIGNMENT

Those of tutorials are the first pictures of the stored notebooks; of a notebook without figures, its last code and what
that printed. Those of figures come from the notebooks as well; those of a comparison, and the ones that no notebook
shows, are drawn from the folder of a study (with a sweep), of a comparison, and of `tl-experts tune --objective align`,
all of polyglot-mini. Needs the extra `png` and `pip install pillow`.
"""

import base64
import html
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
from plotly.io import write_images

from tests.browser import chromium, screen
from tl_experts import plots
from tl_experts.errors import TLExpertsError
from tl_experts.steering.tuning.result import TuneResult
from tl_experts.study import AlignmentResult, StudyResult
from tl_experts.study.comparison.result import CompareResult

FOLDER = Path(__file__).parents[1] / "tutorials"
GALLERY = FOLDER / "docs" / "pictures" / "gallery"
SIZE = (480, 320)
SHAPE = (840, 560)
COLOURS = 128
NOT_FIGURES = ("TEMPLATE", "colour_of", "language_order", "method_means")
LISTING = "body{margin:16px;font:15px/1.45 monospace;white-space:pre;overflow:hidden}b{font-weight:400;color:#0055a0}"


def main(study: Path, comparison: Path, alignment: Path) -> None:
    """Write every thumbnail."""
    GALLERY.mkdir(exist_ok=True)
    found: dict[str, bytes] = {}
    for path in sorted(FOLDER.glob("*.ipynb")):
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        drawn = [(cell.source, png) for cell in cells for png in pictures(cell)]
        save(path.stem, drawn[0][1] if drawn else listing(cells))
        for source, png in drawn:
            for name in set(re.findall(r"plots\.(\w+)\(", source)) - set(NOT_FIGURES):
                found.setdefault(name, png)  # the first: tutorial 8 shows the figures of tutorial 2 for another model
    found |= drawn_together(dict(others(study, comparison, alignment)))
    found["silencing_side_by_side"] = (GALLERY.parent / "silencing.png").read_bytes()  # of the page Results
    if missing := set(plots.__all__) - set(found) - set(NOT_FIGURES):
        raise TLExpertsError(f"nothing draws {', '.join(sorted(missing))}: add it to others() or to a notebook")
    for name, png in found.items():
        save(name, png)


def pictures(cell: Any) -> Iterator[bytes]:
    """The stored pictures of a cell."""
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            yield base64.b64decode(output.data["image/png"])


def drawn_together(figures: dict[str, Any]) -> dict[str, bytes]:
    """Plotly figures as PNG, all by one start of the browser."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{name}.png" for name in figures}
        # A figure of many bars asks for its height: in less, their labels cover each other.
        heights = [max(SHAPE[1], figure.layout.height or 0) for figure in figures.values()]
        write_images(list(figures.values()), list(paths.values()), width=SHAPE[0], height=heights)
        return {name: path.read_bytes() for name, path in paths.items()}


def others(study: Path, comparison: Path, alignment: Path) -> Iterator[tuple[str, Any]]:
    """The figures that no notebook shows, and those of a comparison, of which the notebook shows a small one."""
    result, compared = StudyResult.load(study), CompareResult.load(comparison)
    for name in ("distance_bars", "gain_against_distance", "method_bars", "sweep_front"):
        yield name, getattr(plots, name)(result)
    for name in ("mexa_layers", "silencing_maps", "writing_front"):
        yield name, getattr(plots, name)(compared)
    for name in ("alignment_bars", "cost_front"):
        yield name, getattr(plots, name)(compared, compared.config.targets[0])
    tuned = TuneResult.load(comparison / "tuning" / compared.config.targets[0] / "vector-add-diffmean")
    yield "tuning_front", plots.tuning_front(tuned)
    yield "alignment_search", plots.alignment_search(AlignmentResult.load(alignment))


def listing(cells: list[Any]) -> bytes:
    """The last cell that printed something, as a picture of its code and output."""
    cell = next(cell for cell in reversed(cells) if any(output.get("text") for output in cell.outputs))
    printed = "".join(output.get("text", "") for output in cell.outputs)
    page = f"<meta charset=utf-8><style>{LISTING}</style><b>{html.escape(cell.source)}</b>\n\n{html.escape(printed)}"
    with chromium() as driver, screen(driver, 720, 480):
        driver.get(f"data:text/html;charset=utf-8,{quote(page)}")
        png: bytes = driver.get_screenshot_as_png()
        return png


def save(name: str, png: bytes) -> None:
    """Write a picture small and with few colours."""
    from PIL import Image, ImageOps  # here, since pytest looks for doctests in this file and CI has no Pillow

    small = ImageOps.pad(Image.open(io.BytesIO(png)).convert("RGB"), SIZE, color="white")
    # The method that keeps colours that few pixels have, such as those of marks.
    few = small.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(GALLERY / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
