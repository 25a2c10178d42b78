"""The tutorials as pages of the documentation site, made from the stored notebooks while it is built.

mkdocs calls `on_files` and `on_page_markdown` (`hooks:` in mkdocs.yml). Nothing is run: what a page shows is what the
notebook holds. The thumbnails of the tutorials stand where a page has the mark ``<!-- gallery -->``, those of the
figures of `tl_experts.plots` at ``<!-- figures -->``; `python -m tests.draw_gallery` draws both.
"""

import base64
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File

FOLDER = Path(__file__).parent
REPOSITORY = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
THUMBNAILS = FOLDER / "docs" / "pictures" / "gallery"
PICTURE = "image/png"
# The badge is an image on another server, and the install line is for Colab: the page links to both instead.
BADGE = re.compile(r"\[!\[Open In Colab\]\([^)]*\)\]\((?P<colab>[^)]*)\)")
FOLDER_LINK = re.compile(r"\]\((?!http)([\w.-]+/)\)")
NOTEBOOK_LINK = re.compile(r"\]\((\d\d_\w+)\.ipynb\)")


@dataclass
class Page:
    """A notebook as Markdown, with its pictures as files beside it."""

    name: str
    text: str = ""
    pictures: dict[str, bytes] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The first heading."""
        return self.text.partition("\n")[0].removeprefix("# ")

    def add(self, *lines: str) -> None:
        """Append a paragraph or block."""
        self.text += "\n".join(lines) + "\n\n"

    def add_picture(self, png: bytes) -> None:
        """Append a figure."""
        file = f"{self.name}_{len(self.pictures) + 1}.png"
        self.pictures[file] = png
        self.add(f"![Figure {len(self.pictures)} of this tutorial]({file}){{ loading=lazy }}")


def on_files(files: Any, config: Any) -> Any:
    """The site's files and, for each notebook, a page and its pictures."""
    for path in NOTEBOOKS:
        page = rendered(path)
        files.append(File.generated(config, f"tutorials/{page.name}.md", content=page.text))
        for file, png in page.pictures.items():
            files.append(File.generated(config, f"tutorials/{file}", content=png))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page, with the thumbnails at their marks."""
    for mark, generate in {"<!-- gallery -->": gallery, "<!-- figures -->": figures}.items():
        if mark in markdown:
            markdown = markdown.replace(mark, generate())
    return markdown


def gallery() -> str:
    """A card for each tutorial: its title and its thumbnail."""
    pages = [(rendered(path).title, path.stem, f"tutorials/{path.stem}.md") for path in NOTEBOOKS]
    return grid([card(f"[{title}]({address})", name, address) for title, name, address in pages])


def figures() -> str:
    """A card for each figure of `tl_experts.plots`: its name and its thumbnail, which lead to its documentation."""
    tutorials = {path.stem for path in NOTEBOOKS}
    names = sorted(path.stem for path in THUMBNAILS.glob("*.png") if path.stem not in tutorials)
    return grid([card(f"`{name}`", name, f"api/plots.md#tl_experts.plots.{name}") for name in names])


def card(title: str, picture: str, target: str) -> str:
    """A title above a thumbnail that leads somewhere."""
    return f"-   **{title}**\n\n    [![{picture}](pictures/gallery/{picture}.png){{ loading=lazy }}]({target})"


def grid(cards: list[str]) -> str:
    """Cards side by side."""
    return '<div class="grid cards" markdown>\n\n' + "\n\n".join(cards) + "\n\n</div>"


def rendered(path: Path) -> Page:
    """A notebook as a page."""
    page = Page(path.stem)
    for cell in nbformat.read(path, as_version=4).cells:  # type: ignore[no-untyped-call]
        if cell.cell_type == "markdown":
            page.add(linked(cell.source, path.name))
        elif not cell.source.lstrip().startswith(("%pip", "!pip")):
            page.add("```python", cell.source, "```")
            for output in cell.outputs:
                add_output(page, output)
    return page


def linked(markdown: str, notebook: str) -> str:
    """The text of a cell with links that lead somewhere from the site."""
    markdown = FOLDER_LINK.sub(rf"]({REPOSITORY}/tree/main/tutorials/\1)", markdown)
    opened = rf"[Open {notebook} in Colab](\g<colab>), where you can run and change it."
    return NOTEBOOK_LINK.sub(r"](\1.md)", BADGE.sub(opened, markdown))


def add_output(page: Page, output: Any) -> None:
    """Append what a cell put out: a figure as its picture, a table as HTML, anything else as text."""
    data = output.get("data", {})
    if PICTURE in data:
        page.add_picture(base64.b64decode(data[PICTURE]))
    elif "<table" in data.get("text/html", ""):
        page.add(re.sub(r"<style.*?</style>|^\s+|\n", "", data["text/html"], flags=re.DOTALL | re.MULTILINE))
    elif text := output.get("text") or data.get("text/plain"):
        page.add("```text", text.rstrip(), "```")
