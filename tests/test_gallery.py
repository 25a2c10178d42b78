"""The gallery of the documentation: a small thumbnail for every tutorial and every figure of `tl_experts.plots`."""

import importlib.util
import re

import pytest

from tests.test_docs import DOCS, NOTEBOOKS, ROOT
from tl_experts import plots

FIGURES = set(plots.__all__) - {"TEMPLATE", "colour_of", "language_order", "method_means"}
THUMBNAILS = DOCS / "pictures" / "gallery"
OF_THE_SITE = 500_000
"""Bytes of the theme's style, script and markup, generously: 440,000 on 30 November 2026."""


@pytest.fixture(scope="module")
def notebooks():
    pytest.importorskip("mkdocs")
    spec = importlib.util.spec_from_file_location("site_notebooks", ROOT / "tutorials" / "site_notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_tutorial_and_every_figure_has_a_thumbnail():
    pictures = list(THUMBNAILS.iterdir())
    assert {path.stem for path in pictures} == {path.stem for path in NOTEBOOKS} | FIGURES
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_the_page_shows_them_all_and_a_menu_leads_to_it(notebooks):
    shown = notebooks.on_page_markdown((DOCS / "gallery.md").read_text("utf-8"))
    pictures = re.findall(r"\(pictures/gallery/(\w+)\.png\)", shown)
    assert sorted(pictures) == sorted({path.stem for path in NOTEBOOKS} | FIGURES)
    assert "gallery.md" in (ROOT / "tutorials" / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2]


def test_the_page_weighs_less_than_a_megabyte_and_a_half():
    assert sum(path.stat().st_size for path in THUMBNAILS.iterdir()) + OF_THE_SITE < 1_500_000
