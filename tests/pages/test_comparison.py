"""The page of a comparison: the conclusion first, nothing loaded from elsewhere, texts escaped."""

import html
import re
from dataclasses import replace

import pytest

from tests.browser import accessibility_violations, chromium, wait_for
from tl_experts.pages.comparison import COLUMNS, comparison_page, write_comparison
from tl_experts.study.comparison.conclusion import conclusion
from tl_experts.study.comparison.headline import opening, purposes

pytestmark = pytest.mark.slow


def test_the_conclusion_comes_first_and_everything_is_inside(compared, tmp_path):
    text = write_comparison(compared, tmp_path / "page.html").read_text("utf-8")
    body = text.partition("<main>")[2]
    first = body.partition('<p class="lead">')[2]
    assert html.unescape(first.partition("</p>")[0]) == f"{opening(purposes(compared))}."
    lines = re.findall(r"<li><b>(.*?)</b>: (.*?)\.</li>", body.partition("<figure")[0])
    assert [tuple(map(html.unescape, line)) for line in lines] == [
        (purpose.name.capitalize(), purpose.says) for purpose in purposes(compared)
    ]
    order = ("<b>For writing</b>", 'id="figure-writing"', 'id="figures"', 'id="findings"', 'id="table-writing"')
    assert [body.index(part) for part in order] == sorted(body.index(part) for part in order)
    findings = body.partition('id="findings"')[2].partition("</section>")[0]
    assert findings.count("<p>") == len(conclusion(compared)) - 1
    contents = text.partition("<nav")[2].partition("</nav>")[0]
    assert all(f'href="#{anchor}"' in contents for anchor in re.findall(r'id="(figure-(?!writing)[a-z]+)"', body))
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", text)
    assert len(text) < 2.5e6


def test_every_column_that_is_shown_exists(compared):
    for name, columns in COLUMNS.items():
        if name.startswith("romanised"):  # Spanish is in Latin letters; tests/study/comparison/test_romanised.py
            continue
        assert set(columns.split()) <= set(compared[name].columns)


def test_a_text_cannot_become_markup(compared):
    table = compared["writing"].copy()
    table["example"] = "<script>alert(1)</script>"
    changed = replace(compared, tables=compared.tables | {"writing": table})
    assert "<script>alert" not in comparison_page(changed)


def test_axe_finds_no_violation_and_packed_rows_are_unpacked(compared, tmp_path, monkeypatch):
    monkeypatch.setattr("tl_experts.pages.reporting.tables.PACKED", 20)  # the small comparison has no table of 100 rows
    packed = {name: len(compared[name]) for name in COLUMNS if name in compared and len(compared[name]) > 20}
    assert packed
    address = write_comparison(compared, tmp_path / "page.html").as_uri()
    with chromium() as driver:
        driver.get(address)
        wait_for(driver, "document.documentElement.dataset.ready === 'true'")
        assert accessibility_violations(driver) == []
        for name, rows in packed.items():
            box = f"document.querySelector('#table-{name}')"
            assert driver.execute_script(f"return {box}.querySelectorAll('tbody tr').length") == rows
            # Their headings sort as those of the other tables.
            driver.execute_script(f"{box}.open = true; {box}.querySelector('th button').click()")
            wait_for(driver, f"{box}.querySelector('th').ariaSort === 'ascending'")
            assert driver.execute_script(f"return {box}.querySelectorAll('tbody tr').length") == rows
