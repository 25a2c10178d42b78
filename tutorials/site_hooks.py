"""What the documentation site generates while it is built: the command line's reference and the lists of modules.

mkdocs calls `on_page_markdown` for every page (`hooks:` in mkdocs.yml). A page that wants one of them holds its mark.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tl_experts"
ARCHITECTURE = ROOT / "tests" / "test_architecture.py"
TYPER = [sys.executable, "-m", "typer", "tl_experts.cli.commands", "utils", "docs", "--name", "tl-experts"]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page, with what is generated in place of its mark."""
    for mark, generate in {"<!-- commands -->": commands, "<!-- modules -->": modules}.items():
        if mark in markdown:
            markdown = markdown.replace(mark, generate())
    return re.sub(r"<!-- modules of (\w+) -->", lambda found: documented(found[1]), markdown)


def commands() -> str:
    """Every command and option, in typer's own Markdown without its title.

    Raises:
        CalledProcessError: typer cannot read the command line; the build then fails.
    """
    done = subprocess.run(TYPER, capture_output=True, text=True, check=True)
    return re.sub(r"\A# .*\n", "", done.stdout)


def modules() -> str:
    """The modules of each package in their inner order, with the first line of each docstring."""
    flow, inner = orders()
    lines = []
    for package in [name for row in flow for name in row if name in inner]:
        lines += [f"### {package}", "", "| module | job |", "| --- | --- |"]
        lines += [f"| `{name}` | {summary(name)} |" for name in below(package, inner)] + [""]
    return "\n".join(lines)


def documented(package: str) -> str:
    """A section for each module of a package, which mkdocstrings fills."""
    options = {"show_root_heading": "false", "show_root_toc_entry": "false", "heading_level": "3"}
    listed = "".join(f"\n      {name}: {value}" for name, value in options.items())
    names = [name for row in orders()[1][package] for name in row]
    return "\n".join(f"## {name}\n\n::: tl_experts.{package}.{name}\n    options:{listed}\n" for name in names)


def below(package: str, inner: dict[str, Any]) -> Iterator[str]:
    """The dotted names of the modules in a package and in its packages."""
    for name in (name for row in inner[package] for name in row):
        yield f"{package}.{name}"
        if f"{package}.{name}" in inner:
            yield from below(f"{package}.{name}", inner)


def orders() -> tuple[Any, dict[str, Any]]:
    """FLOW and INNER, the two lists that the architecture test holds the imports to."""
    body = ast.parse(ARCHITECTURE.read_text("utf-8")).body
    assigned = {ast.unparse(node.targets[0]): node.value for node in body if isinstance(node, ast.Assign)}
    return ast.literal_eval(assigned["FLOW"]), ast.literal_eval(assigned["INNER"])


def summary(name: str) -> str:
    """The first sentence of a module's docstring, fit for a cell of a table."""
    path = PACKAGE.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    documentation = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return documentation.partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
