"""The report: what it says follows from the tables, and nothing from outside becomes markup."""

import csv
import io
import re
from dataclasses import replace
from urllib.parse import unquote

import pandas as pd
import pytest

from tests.browser import CONTRASTS, accessibility_violations, chromium, console_errors, requested, wait_for
from tests.study.tables import with_tables
from tl_experts.pages.report import as_toml, beside_paper, report, write_report
from tl_experts.study import StudyConfig, load_config

pytestmark = pytest.mark.slow


def test_it_is_one_file_that_loads_nothing(result):
    path = write_report(result)
    text = path.read_text("utf-8")
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//""", markup)
    assert text.count("data-figure=") == 15
    for name in ("baselines", "gains", "table1", "correlations"):
        assert f'<details class="table" id="table-{name}"' in text


def test_text_from_outside_stays_text(result):
    evil = "<script>alert(1)</script>"
    # No study can have a name with a slash: markup in it has none.
    hostile = replace(result, config=replace(result.config, name="<img src=x>", model=evil))
    choice = result["choice"].assign(why=evil)
    text = report(with_tables(hostile, choice=choice))
    assert evil not in text
    assert "<img src=x>" not in text
    assert "&lt;img src=x&gt;" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_papers_numbers_are_shown_for_its_models_only(result):
    assert "paper pre" not in beside_paper(result, "table1")
    theirs = replace(result, config=replace(result.config, name="aya-8b"))
    table = beside_paper(theirs, "table1").set_index("measure")
    assert table.loc["all_pairs", ["paper pre", "paper post"]].tolist() == [0.72, 0.19]
    correlations = beside_paper(theirs, "correlations").set_index(["target", "of"])["paper"]
    assert correlations["ja", "acc_pre~d_pre"] == -0.96
    assert pd.isna(correlations["ja", "gain~isoscore_gain"])  # ours, not the paper's
    paraphrases = beside_paper(theirs, "paraphrases").set_index(["target", "language", "neurons", "condition"])["paper"]
    assert paraphrases["ja", "ja", "experts", "mixed"] == 0.55
    assert paraphrases["ja", "ja", "random", "post"] == 0.44
    assert pd.isna(paraphrases["ja", "en", "experts", "post"])
    spread = beside_paper(theirs, "gain_spread").set_index("target")
    assert spread.loc["all", ["paper median", "paper most"]].tolist() == [0.32, 0.74]
    assert pd.isna(spread.loc["ja", "paper median"])


def test_table_7_is_shown_for_pairs_with_english(result):
    rows = [
        ("tatoeba", "ja", "ja", "en"),
        ("tatoeba", "ja", "en", "ja"),
        ("bucc18", "de", "de", "en"),
        ("", "ja", "ja", "en"),
    ]
    mine = pd.DataFrame(
        [{"corpus": corpus, "target": t, "query": query, "candidate": other} for corpus, t, query, other in rows]
        + [{"corpus": "tatoeba", "target": "ja", "query": "ja", "candidate": "fr"}]
    )
    theirs = with_tables(replace(result, config=replace(result.config, name="aya-8b")), pair_sets=mine)
    table = beside_paper(theirs, "pair_sets")
    assert table["paper post"].tolist()[:3] == [0.307, 0.307, 0.332]
    assert table["paper pre"].isna().tolist() == [False, False, False, True, True]


def test_options_come_back_from_their_toml(tmp_path):
    config = StudyConfig.from_dict(
        {"name": "x", "model": "polyglot-mini", "k": 5, "corpus": 'a "quoted"\\name', "sweep_k": [5, 7]}
    )
    (tmp_path / "study.toml").write_text(as_toml(config), encoding="utf-8")
    assert load_config(tmp_path / "study.toml") == config


WIDTHS = (390, 768, 1280, 1920)

TOO_WIDE = """return [...document.querySelectorAll("main *")].filter((node) =>
    node.getClientRects().length && !node.closest(".scroll, pre, .facts"))
  .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
  .map((node) => node.tagName + " " + node.className)"""

OVERLAPS = """
const titles = ".xtitle, .ytitle, .x2title, .x3title, .y2title, .y3title, .annotation-text, .cbtitle, .legendtext";
const hit = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
  && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
const found = [];
let checked = 0;
for (const plot of document.querySelectorAll(".plot")) {
  const nodes = [...plot.querySelectorAll(titles), ...plot.parentElement.querySelectorAll("h3, figcaption, .choice")]
    .filter((node) => node.getClientRects().length);
  const boxes = nodes.map((node) => node.getBoundingClientRect());
  for (let i = 0; i < nodes.length; i++)
    for (let j = 0; j < i; j++) {
      checked += 1;
      if (hit(boxes[i], boxes[j])) found.push([plot.dataset.figure, nodes[i].textContent, nodes[j].textContent]);
    }
}
return [checked, found];
"""
"""Titles, legends and captions that cover each other, by figure."""

SIZES = """return [...document.querySelectorAll("body *")].filter((node) => node.getClientRects().length
  && !["SCRIPT", "STYLE"].includes(node.tagName)
  && [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim()))
  .map((node) => [parseFloat(getComputedStyle(node).fontSize), node.textContent.slice(0, 40)])"""
"""The size of every text in pixels."""


ROWS = """
const box = document.querySelector("#table-baselines .scroll"), head = box.querySelector("th").getBoundingClientRect();
const top = box.getBoundingClientRect().top, low = top + box.clientTop + box.clientHeight;
const rows = [...box.querySelectorAll("tbody tr")].map((row) => row.getBoundingClientRect());
const cut = rows.filter((row) => [head.bottom, low].some((edge) => row.top < edge - 1 && row.bottom > edge + 1));
return [head.top - top, cut.length, rows.filter((row) => row.top >= head.bottom - 1 && row.bottom <= low + 1).length];
"""
"""Of a table's box: where its head is, how many rows are cut at its edges, and how many are shown whole."""


@pytest.fixture(scope="module")
def driver():
    with chromium() as there:
        yield there


@pytest.fixture(scope="module")
def address(result, tmp_path_factory):
    return write_report(result, tmp_path_factory.mktemp("report") / "report.html").as_uri()


@pytest.fixture(scope="module", params=WIDTHS)
def opened(request, driver, address):
    """The report with all figures drawn, loaded once at each width."""
    metrics = {"width": request.param, "height": 900, "deviceScaleFactor": 1, "mobile": request.param < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get_log("performance")
    console_errors(driver)
    driver.get(address)
    wait_for(driver, "document.documentElement.dataset.ready === 'true'")
    driver.execute_script("drawAll()")
    wait_for(driver, "document.querySelectorAll('.plot:not(.js-plotly-plot)').length === 0")
    yield driver
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_it_fits_every_screen(opened):
    width = opened.execute_script("return document.documentElement.clientWidth")
    assert opened.execute_script("return document.scrollingElement.scrollWidth") == width
    assert opened.execute_script(TOO_WIDE) == []
    assert opened.execute_script("return document.querySelectorAll('.plot .main-svg').length") >= 14
    checked, found = opened.execute_script(OVERLAPS)
    assert checked > 100
    assert found == []
    sizes = opened.execute_script(SIZES)
    assert len(sizes) > 200
    assert min(sizes)[0] >= 11, min(sizes)
    assert "NaN" not in opened.execute_script("return document.querySelector('main').textContent")
    assert console_errors(opened) == []
    assert {url.split(":")[0] for url in requested(opened)} <= {"file", "data", "blob"}


def test_maps_are_stacked_where_they_are_too_small(opened):
    layout = "document.querySelector('[data-figure=retrieval]').layout"
    one, two = opened.execute_script(f"return [{layout}.xaxis.domain, {layout}.xaxis2.domain]")
    assert (one == two) == (opened.execute_script("return innerWidth") == 390)


@pytest.fixture
def wide(driver, address):
    driver.get("about:blank")
    driver.get(address)
    wait_for(driver, "document.documentElement.dataset.ready === 'true'")
    return driver


def test_tables_are_sorted_filtered_and_downloaded(wide, result):
    box = "document.querySelector('#table-gains')"
    wide.execute_script(f"{box}.open = true")
    cells = f"[...{box}.querySelectorAll('tbody tr:not([hidden]) td:nth-child(6)')]"
    values = f"return {cells}.map((td) => Number(td.textContent))"
    gains = wide.execute_script(values)
    assert len(gains) == len(result["gains"])
    head = wide.find_element("css selector", "#table-gains th:nth-child(6) button")
    assert head.get_attribute("title") == "Top-1 after minus top-1 before."
    for order in (sorted(gains), sorted(gains, reverse=True)):
        head.click()
        assert wide.execute_script(values) == order
    wide.find_element("css selector", "#table-gains input").send_keys("ja query")
    wanted = result["gains"]["target"].eq("ja") & result["gains"]["kind"].str.contains("query")
    assert len(wide.execute_script(values)) == wanted.sum() > 0
    file = unquote(wide.find_element("css selector", "#table-gains .csv").get_attribute("href"))
    rows = list(csv.DictReader(io.StringIO(file.split(",", 1)[1])))
    assert [float(row["gain"]) for row in rows] == pytest.approx(result["gains"]["gain"].tolist())


def test_no_row_is_cut_and_the_head_stays(wide):
    wide.execute_script("document.querySelector('#table-baselines').open = true")
    wide.execute_script("document.querySelector('#table-baselines .scroll').scrollTop = 45")
    wait_for(wide, "document.querySelector('#table-baselines .scroll').scrollTop !== 45")
    head, cut, whole = wide.execute_script(ROWS)
    assert head == pytest.approx(1, abs=1)
    assert cut == 0
    assert whole == 12


def test_a_menu_shows_another_target_and_the_diagonal_has_no_label(wide):
    from selenium.webdriver.support.ui import Select

    plot = "document.querySelector('[data-figure=retrieval]')"
    wide.execute_script(f"{plot}.scrollIntoView({{block: 'center'}})")
    wait_for(wide, f"{plot}.calcdata !== undefined")
    Select(wide.find_element("css selector", "#figure-retrieval select")).select_by_visible_text("ja experts")
    wait_for(wide, f"{plot}.data[3].visible === true && {plot}.data[1].visible === false")
    for query, candidate, labels in (("en", "en", 0), ("en", "de", 1)):
        x, y = wide.execute_script(
            f"const plot = {plot}, layout = plot._fullLayout, box = plot.getBoundingClientRect();"
            f"return [box.left + layout.xaxis._offset + layout.xaxis.d2p('{candidate}'),"
            f" box.top + layout.yaxis._offset + layout.yaxis.d2p('{query}')]"
        )
        wide.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x - 2, "y": y})
        wide.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})
        wait_for(wide, f"{plot}.querySelectorAll('.hoverlayer .hovertext').length === {labels}", 5)
    assert "before" in wide.execute_script(f"return {plot}.querySelector('.hovertext').textContent")


def test_an_address_opens_its_table_and_contents_stay_in_view(driver, address):
    driver.get("about:blank")
    driver.get(f"{address}#table-baselines")
    wait_for(driver, "document.querySelector('#table-baselines').open && scrollY > 1000")
    top, height = driver.execute_script(
        "const b = document.querySelector('nav').getBoundingClientRect(); return [b.top, b.height]"
    )
    assert top == 0
    assert height > 100
    wait_for(driver, "document.querySelector('nav a.now')?.hash === '#table-baselines'")


def test_text_of_the_report_contrasts_with_its_background(wide):
    found = wide.execute_script(CONTRASTS)
    assert len(found) > 100
    assert min(found)[0] >= 4.5, min(found)


def test_axe_finds_no_violation_in_the_report(opened):
    assert accessibility_violations(opened) == []
