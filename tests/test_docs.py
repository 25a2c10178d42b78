"""README, tutorials and documentation site: sizes, links, names, blocks that run, a build that can fail."""

import base64
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest

import tl_experts
from tests.run_tutorials import FIGURE, PICTURE
from tests.test_architecture import FLOW, INNER, PACKAGE, children
from tl_experts.experts.scorings import SCORINGS
from tl_experts.steering.directions import FITS as DIRECTIONS
from tl_experts.steering.maps import KINDS as TRANSPORTS
from tl_experts.steering.operations import OPERATIONS
from tl_experts.steering.steering import TOKEN_VALUES, VALUES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "tutorials" / "docs"
README = (ROOT / "README.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
NOTEBOOKS = sorted((ROOT / "tutorials").glob("*.ipynb"))
PAGES = sorted(DOCS.rglob("*.md"))
PACKAGES = [name for row in FLOW for name in row if name not in ("cli", "__main__")]


# The README


def test_the_readme_is_short():
    assert len(README.encode()) <= 8192
    assert [line for line in README.splitlines() if len(line) > 110] == []


def test_the_packages_of_the_readme_are_the_flow_in_its_order():
    table = README.partition("[start:packages] -->")[2].partition("<!-- --8<--")[0]
    packages = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    for row in FLOW:
        if row != ("__main__",):
            assert set(packages[: len(row)]) == set(row)  # the order inside a row is free
            packages = packages[len(row) :]
    assert packages == []


def test_the_readme_shows_one_figure_and_links_that_lead_somewhere():
    assert len(re.findall(r"!\[", README)) == 1
    assert README.count("](tutorials/") >= 6


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "tutorials/README.md", "data/README.md"])
def test_a_relative_link_leads_to_a_file(name):
    page = ROOT / name
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{name}: {target}"


@pytest.mark.parametrize("mark", ["demo", "test"])
def test_the_commands_that_ci_reads_install_what_the_text_says(mark):
    block = README.partition(f"<!-- ci:{mark} -->\n```bash\n")[2].partition("```")[0]
    assert 'pip install torch==2.13.0 "transformer-lens<4"' in block
    assert block.rstrip().endswith({"demo": ".venv/bin/tl-experts demo", "test": ".venv/bin/pytest"}[mark])


# Python in the documents


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def imported_names(code: str) -> set[tuple[str, str]]:
    found = re.findall(r"^\s*from (tl_experts[\w.]*) import (?:\(([^)]*)\)|(.+))$", code, re.MULTILINE)
    lists = [(module, (inside or line).split(",")) for module, inside, line in found]
    return {(module, name.strip()) for module, names in lists for name in names if name.strip()}


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_code_in_a_document_compiles_and_imports_what_exists(page):
    for block in python_blocks(page):
        compile(block, str(page), "exec")
        for module, name in imported_names(block):
            assert hasattr(importlib.import_module(module), name), f"{page.name}: {module}.{name}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_what_exists(path):
    for module, name in imported_names("\n".join(sources(path))):
        assert hasattr(importlib.import_module(module), name), f"{module}.{name}"


def runnable() -> list[tuple[str, list[str]]]:
    """The blocks of pages that run anywhere, those of a page in a row; `test_meaning` runs that of an extra."""
    pages = [
        ROOT / "README.md",
        *(DOCS / "guide" / f"{name}.md" for name in ("steer-generation", "ways-to-steer", "compare-languages")),
    ]
    return [(page.name, [x for x in python_blocks(page) if not re.search("run_study|_meaning", x)]) for page in pages]


SHORTER = {
    "limit=120": "limit=12",
    "generate_texts(model, 32": "generate_texts(model, 8",
    'split="test")  ': 'split="test", languages=["es", "fr"])  ',  # the README prints the accuracy of these two
}
"""What a reader changes in a page who takes fewer sentences and texts."""


@pytest.mark.slow
@pytest.mark.parametrize(("page", "blocks"), runnable(), ids=[page for page, _ in runnable()])
def test_the_blocks_of_a_page_run_as_they_are_pasted(page, blocks, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:
        for stated, fewer in SHORTER.items():
            block = block.replace(stated, fewer)
        exec(compile(block, page, "exec"), names)
    assert blocks
    if page == "README.md":
        assert_printed(capsys.readouterr().out)


def test_the_page_on_gradients_runs_with_fewer_sentences(capsys):
    """Its block in a second: the share is one of layer 4's whole attribution, and is not that of no neuron."""
    [block] = python_blocks(DOCS / "guide" / "gradients.md")
    names: dict[str, object] = {}
    exec(compile(block.replace("limit=50", "limit=3"), "gradients.md", "exec"), names)
    assert 0 < float(capsys.readouterr().out) < 1
    assert names["attribution"].shape == (896,)
    assert bool((names["attribution"] > 0).any())


def assert_printed(out: str) -> None:
    """The README's program prints what the README says: numbers to one part in a hundred (processors differ)."""
    stated = README.partition("[start:output] -->\n```\n")[2].partition("```")[0]
    number = re.compile(r"\d+\.?\d*")
    assert number.sub("0", out).split() == number.sub("0", stated).split()
    found, wanted = ([float(value) for value in number.findall(text)] for text in (out, stated))
    assert found == pytest.approx(wanted, rel=0.01, abs=0.011)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("which-neurons", [*SCORINGS, "LeaveOut", "experts_from_list", "experts_from_masks"]),
        ("ways-to-steer", [*OPERATIONS, *TRANSPORTS, *DIRECTIONS, *VALUES, *TOKEN_VALUES]),
        ("ways-to-steer", ["language_vector", "language_dimensions", "language_direction", "language_swap"]),
    ],
    ids=["scorings", "operations", "vectors"],
)
def test_the_guide_lists_everything_that_chooses_neurons_and_everything_that_holds_them(page, names):
    text = (DOCS / "guide" / f"{page}.md").read_text("utf-8")
    assert [name for name in names if not {f'"{name}"', f"{name}("} & set(re.findall(r'"\w+"|\w+\(', text))] == []


# The public API


@pytest.mark.parametrize("name", tl_experts.__all__)
def test_a_public_name_shows_an_example(name):
    assert ">>>" in (getattr(tl_experts, name).__doc__ or "")


def facades() -> list[object]:
    modules = [tl_experts, *(importlib.import_module(f"tl_experts.{name}") for name in PACKAGES)]
    analysis = [importlib.import_module(f"tl_experts.analysis.{name}") for name in children(PACKAGE / "analysis")]
    return [*modules, *analysis]


def public_functions() -> list[object]:
    found = {}
    for module in facades():
        names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
        for name in names:
            value = getattr(module, name)
            if str(getattr(value, "__module__", "")).startswith("tl_experts"):
                members = [value] if inspect.isfunction(value) else methods(value) if inspect.isclass(value) else []
                found |= {f"{member.__module__}.{member.__qualname__}": member for member in members}
    return [found[name] for name in sorted(found)]


def methods(kind: type) -> list[object]:
    values = [getattr(kind, name) for name in vars(kind) if not name.startswith("_")]
    return [
        getattr(value, "__func__", value) for value in values if inspect.isfunction(value) or inspect.ismethod(value)
    ]


def test_there_are_public_functions_to_look_at():
    names = {function.__qualname__ for function in public_functions()}
    assert {"find_experts", "steer", "embed", "top1_accuracy", "Experts.save_pretrained"} <= names


@pytest.mark.parametrize("function", public_functions(), ids=lambda function: function.__qualname__)
def test_a_public_function_has_at_most_ten_parameters(function):
    parameters = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
    assert len(parameters) <= 10, parameters


# Tutorials


def sources(path: Path) -> list[str]:
    return [cell.source for cell in nbformat.read(path, as_version=4).cells]


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
    assert path.stat().st_size < 1e6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_figure_of_a_notebook_is_stored_with_a_picture_that_github_shows(path):
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    for output in outputs:
        if FIGURE in output.get("data", {}):
            assert base64.b64decode(output.data[PICTURE]).startswith(b"\x89PNG")


@pytest.mark.parametrize("page", [ROOT / "tutorials" / "README.md", DOCS / "tutorials.md"], ids=str)
def test_a_list_of_tutorials_is_complete(page):
    assert re.findall(r"(\d\d_\w+\.ipynb)\)", page.read_text("utf-8")) == [path.name for path in NOTEBOOKS]


def test_a_tutorial_teaches_run_with_cache():
    texts = ["\n".join(sources(path)) for path in NOTEBOOKS]
    assert any("run_with_cache(" in text and "responses_from_cache(" in text for text in texts)


# The documentation site


def test_the_api_index_has_every_public_name_once():
    named = re.findall(r"^::: (\S+)$", (DOCS / "api" / "index.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(f"tl_experts.{name}" for name in tl_experts.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_its_page_in_the_api(package):
    text = (DOCS / "api" / f"{package}.md").read_text("utf-8")
    module = importlib.import_module(f"tl_experts.{package}")
    whole = package not in INNER or hasattr(module, "__all__")  # else each of its modules
    assert (f"\n::: tl_experts.{package}\n" if whole else f"<!-- modules of {package} -->") in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_repository_but_that_of_pyproject(page):
    for address in re.findall(r"https://github\.com/tl-experts[^\s)]*", page.read_text("utf-8")):
        assert address.startswith(REPOSITORY)


@pytest.mark.parametrize("page", sorted(DOCS.glob("reports/*.html")), ids=lambda page: page.stem)
def test_a_report_on_the_site_weighs_less_than_two_and_a_half_megabytes(page):
    assert page.stat().st_size < 2_500_000


class Page(HTMLParser):
    """What a test asks of a built page: its anchors, and the addresses that a browser loads unasked."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors.add(found.get("id") or "")
        loads = tag in ("script", "img", "iframe") or (tag == "link" and found.get("rel") != "canonical")
        self.loaded += [found[key] or "" for key in ("src", "href") if loads and key in found]


WITHOUT_LENS = "import sys; sys.modules['transformer_lens'] = None; from mkdocs.__main__ import cli; cli()"
"""The build, which must not import transformer-lens: CI runs what is marked `site` under one version only."""


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    # -q would hide the warnings that --strict counts.
    command = [sys.executable, "-c", WITHOUT_LENS, "build", "--strict", "-f", str(config), "-d", str(site)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    done = build(ROOT / "tutorials" / "mkdocs.yml", folder := tmp_path_factory.mktemp("site"))
    assert done.returncode == 0, done.stderr
    assert (folder / "index.html").stat().st_size
    return folder


def built(site: Path) -> dict[str, Page]:
    return {str(path.relative_to(site)): Page(path.read_text("utf-8")) for path in site.rglob("*.html")}


@pytest.mark.slow
@pytest.mark.site
def test_every_public_name_and_command_has_an_anchor_in_the_built_site(site):
    from tl_experts.cli.commands import app

    anchors = set().union(*(page.anchors for page in built(site).values()))
    names = {f"tl_experts.{name}" for name in tl_experts.__all__}
    for package in PACKAGES:
        module = importlib.import_module(f"tl_experts.{package}")
        names |= {f"tl_experts.{package}.{name}" for name in getattr(module, "__all__", ())}
    names |= {
        "tl_experts.jobs.pieces.Pieces",
        "tl_experts.analysis.statistics.holm",
        "tl_experts.pages.report.write_report",
    }
    commands = {f"tl-experts-{command.name or command.callback.__name__}" for command in app.registered_commands}
    assert names | commands <= anchors, sorted((names | commands) - anchors)


@pytest.mark.slow
@pytest.mark.site
def test_the_built_site_searches_and_loads_nothing_from_elsewhere(site):
    pages = built(site)
    assert len(pages) > len(PAGES)  # and the page of an unknown address
    external = {name: [a for a in page.loaded if a.startswith(("http", "//"))] for name, page in pages.items()}
    assert not any(external.values()), external
    found = json.loads((site / "search" / "search_index.json").read_text("utf-8"))["docs"]
    assert any("medoid" in entry["text"] for entry in found)


@pytest.mark.slow
@pytest.mark.site
def test_a_notebook_has_its_page_with_every_figure_and_its_card_in_the_gallery(site):
    cards = Page((site / "tutorials.html").read_text("utf-8")).loaded
    for path in NOTEBOOKS:
        outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
        figures = sum(FIGURE in output.get("data", {}) for output in outputs)
        loaded = Page((site / "tutorials" / f"{path.stem}.html").read_text("utf-8")).loaded
        shown = [address for address in loaded if address.startswith(f"{path.stem}_")]
        assert len(shown) == figures
        assert all((site / "tutorials" / address).stat().st_size for address in shown)
        assert f"pictures/gallery/{path.stem}.png" in cards


FAULTS = {
    "a link to no page": ("[here](nowhere.md)", "'nowhere.md'"),
    "a link to no heading": ("[here](results.md#nowhere)", "'#nowhere'"),
    "a name that is not documented": ("[here][tl_experts.nothing]", "'tl_experts.nothing'"),
}
"""What is wrong on a page, and what the warning names."""


@pytest.fixture(scope="module")
def warnings(tmp_path_factory):
    """The warnings of a build that fails: the site's settings and plugins, on small pages with a fault each."""
    folder = tmp_path_factory.mktemp("faults")
    config = (ROOT / "tutorials" / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[0]
    config = re.sub(r"^hooks:\n(  - .*\n)+", "", config, flags=re.MULTILINE).replace("paths: [..]", f"paths: [{ROOT}]")
    (folder / "docs").mkdir()
    (folder / "mkdocs.yml").write_text(config)
    (folder / "docs" / "results.md").write_text("# Results\n")
    (folder / "docs" / "index.md").write_text("# Home\n\n[there](results.md#results)\n")
    assert build(folder / "mkdocs.yml", folder / "site").returncode == 0
    for number, (fault, _) in enumerate(FAULTS.values()):
        (folder / "docs" / f"fault{number}.md").write_text(f"# Fault\n\n{fault}\n")
    done = build(folder / "mkdocs.yml", folder / "site")
    assert done.returncode != 0
    return [line for line in done.stderr.splitlines() if "WARNING" in line]


@pytest.mark.slow
@pytest.mark.site
@pytest.mark.parametrize("fault", FAULTS)
def test_a_strict_build_fails_on(fault, warnings):
    assert [FAULTS[fault][1] in line for line in warnings].count(True) == 1
    assert len(warnings) == len(FAULTS)
