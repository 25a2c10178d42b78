"""A headless Chromium for the tests, with its console messages and network requests."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
REQUIRED = "TL_EXPERTS_NEEDS_BROWSER"
"""Set in CI once a browser is installed: a missing browser is then a failure, not a skip."""

WIDTH, HEIGHT = 1280, 1400


@contextmanager
def chromium() -> Iterator[Any]:
    """A driver. Without Chromium and its driver the test is skipped, unless CI requires them."""
    if (BROWSER is None or DRIVER is None) and not os.environ.get(REQUIRED):
        pytest.skip("needs Chromium and chromedriver (Debian: apt install chromium chromium-driver)")
    assert BROWSER is not None
    assert DRIVER is not None
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.add_argument(f"--window-size={WIDTH},{HEIGHT}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    driver.set_script_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()


def console_errors(driver: Any) -> list[str]:
    """Errors on the console since the last call."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def requested(driver: Any) -> set[str]:
    """Addresses requested since the last call, except those that the browser requests for itself."""
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    return {params["request"]["url"] for params in sent if not params["documentURL"].startswith("chrome")}


def wait_for(driver: Any, condition: str, seconds: float = 60) -> Any:
    """Wait until a JavaScript expression is true, and give its value."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, seconds, poll_frequency=0.05).until(
        lambda there: there.execute_script(f"return {condition}"), message=condition
    )


CONTRASTS = """
const channel = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const parse = (text) => {
  const n = text.match(/[\\d.]+/g).map(Number);
  return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
};
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
const ground = (node) => {
  const layers = [];
  for (let at = node; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
};
const found = [];
for (const node of document.querySelectorAll("body *")) {
  const written = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  if (!written || !node.getClientRects().length || ["SCRIPT", "STYLE"].includes(node.tagName)) continue;
  const under = ground(node);
  const [a, b] = [luminance(over(parse(getComputedStyle(node).color), under)), luminance(under)];
  found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.textContent.slice(0, 40)]);
}
return found;
"""
"""For each element with its own text: the contrast by WCAG 2.1's formula, and the text."""


@contextmanager
def screen(driver: Any, width: int, height: int = 844) -> Iterator[None]:
    """A screen of another width; a window is never narrower than some 500 pixels, so a phone is set by metrics."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


SMALL = """
const found = [];
for (const node of document.querySelectorAll("body *")) {
  const written = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  if (!written || !node.getClientRects().length || ["SCRIPT", "STYLE", "TITLE"].includes(node.tagName)) continue;
  const svg = node.ownerSVGElement;
  // Text in a scaled figure is as large as the figure's scale makes it.
  const scale = svg && svg.viewBox.baseVal?.width ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
  const size = parseFloat(getComputedStyle(node).fontSize) * scale;
  if (size < 11) found.push([size, node.textContent.slice(0, 40)]);
}
return found;
"""
"""Elements whose own text is smaller than 11 pixels: its size and the text."""

OVERLAPS = """
const boxes = [...document.querySelectorAll(arguments[0])]
  .map((node) => [node.getBoundingClientRect(), node.textContent || node.id])
  .filter(([box]) => box.width && box.height);
const found = [];
boxes.forEach(([a, one], i) => boxes.slice(i + 1).forEach(([b, other]) => {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (width > 1 && height > 1) found.push([one.slice(0, 30), other.slice(0, 30)]);
}));
return found;
"""
"""Pairs of the elements of a selector that lie on each other."""


def accessibility_violations(driver: Any) -> list[str]:
    """What axe-core finds wrong on the page. Without it the test is skipped, unless CI requires a browser.

    The script comes with axe-playwright-python, the wheel of axe-core that is kept up to date; its bindings are not
    needed.
    """
    if find_spec("axe_playwright_python") is None and not os.environ.get(REQUIRED):
        pytest.skip("needs axe-core (pip install axe-playwright-python)")
    driver.execute_script((files("axe_playwright_python") / "axe.min.js").read_text("utf-8"))
    found = driver.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run({ resultTypes: ['violations'] })"
        ".then((found) => done(found.violations), (error) => done(String(error)))"
    )
    assert isinstance(found, list), found
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]
