"""The README, the tutorials and the API page say what is there: names, addresses, blocks that run."""

import importlib
import re
import tomllib
from pathlib import Path

import nbformat
import pytest

import tl_experts

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
NOTEBOOKS = sorted((ROOT / "tutorials").glob("*.ipynb"))
PAGES = {"index": "tl_experts", "models": "tl_experts.models", "plots": "tl_experts.plots"}


def sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


@pytest.mark.parametrize(("page", "module"), PAGES.items())
def test_the_api_page_has_every_public_name_once(page, module):
    text = (ROOT / "tutorials" / "api" / "pages" / f"{page}.md").read_text("utf-8")
    named = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(f"{module}.{name}" for name in importlib.import_module(module).__all__)


@pytest.mark.parametrize("name", tl_experts.__all__)
def test_a_public_name_shows_an_example(name):
    assert ">>>" in (getattr(tl_experts, name).__doc__ or "")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_badge_opens_its_own_notebook_in_the_repository_that_pyproject_names(path):
    address = REPOSITORY.removeprefix("https://github.com/")
    wanted = f"https://colab.research.google.com/github/{address}/blob/main/tutorials/{path.name}"
    assert re.findall(r"https://colab\.research\.google\.com/github/[^\s)\"]+", "".join(sources(path)[:2])) == [wanted]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_installs_with_one_line_from_that_repository(path):
    lines = [line for cell in sources(path) for line in cell.splitlines() if re.match(r"[%!]pip\b", line)]
    assert len(lines) == 1
    assert f"git+{REPOSITORY}" in lines[0]
    assert not re.search(r"\b(numpy|pandas)\b", lines[0])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_as_it_ran(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert outputs
    assert not [output for output in outputs if output.output_type == "error"]
    assert "/root/" not in path.read_text("utf-8")
    assert path.stat().st_size < 2e6


def test_the_tutorials_page_lists_every_notebook():
    text = (ROOT / "tutorials" / "README.md").read_text("utf-8")
    assert re.findall(r"\((\d\d_\w+\.ipynb)\)", text) == [path.name for path in NOTEBOOKS]


def test_the_links_of_the_readme_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "tutorials" / "README.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def python_blocks() -> list[str]:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if 'load_model("polyglot-mini")' in block]


@pytest.mark.slow
@pytest.mark.parametrize("block", python_blocks(), ids=lambda block: block.splitlines()[0][-30:])
def test_a_block_of_the_readme_runs_as_it_is_pasted(block, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})  # the README's own text, pasted by a reader


def test_there_are_blocks_to_run():
    assert len(python_blocks()) >= 2
