"""The table of pages: weights and medians, and the times of a page that draws its figure late."""

from tests.benchmarks.pages import WATCH, live_table, opened, table
from tests.browser import chromium


def test_the_tables_say_medians():
    times = [{"first paint": at, "loaded": 2 * at, "first figure": 1000.0} for at in (100.0, 900.0, 300.0)]
    assert table({"a/report.html": (2_380_000, times)}).splitlines()[2:] == [
        "| a/report.html | 2.38 MB | 0.30 s | 0.60 s | 1.00 s |"
    ]
    assert live_table(times).splitlines()[2] == "| first paint | 0.30 s | 0.10 to 0.90 s |"


def test_the_first_figure_is_timed_when_it_appears(tmp_path):
    page = tmp_path / "page.html"
    script = "setTimeout(() => { document.body.innerHTML += '<i id=histogram>x</i>'; }, 300)"
    page.write_text(f"<!doctype html><p>text</p><script>{script}</script>")
    with chromium() as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        found = opened(driver, page)
    assert found["first paint"] > 0
    assert found["first figure"] >= 300  # on a busy machine it may be drawn before the first frame
