"""The page of a comparison: the conclusion first, nothing loaded from elsewhere, texts escaped."""

import re
from dataclasses import replace

import pytest

from tl_experts.pages.comparison import page, write_comparison
from tl_experts.study.comparison.conclusion import conclusion

pytestmark = pytest.mark.slow


def test_the_conclusion_comes_first_and_everything_is_inside(compared, tmp_path):
    text = write_comparison(compared, tmp_path / "page.html").read_text("utf-8")
    body = text.partition("<body>")[2]
    assert body.index("For writing") < body.index("plotly-graph-div") < body.index("<details>")
    assert len(conclusion(compared)) == body.partition("<div")[0].count("<p>")
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", text)
    assert 'name="viewport"' in text


def test_a_text_cannot_become_markup(compared):
    table = compared["writing"].copy()
    table["example"] = "<script>alert(1)</script>"
    assert "<script>alert" not in page(replace(compared, tables=compared.tables | {"writing": table}))
