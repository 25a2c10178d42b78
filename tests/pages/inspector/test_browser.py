"""The inspector in a real browser: it works, without a network, and what comes from outside stays text."""

import json
import threading
from pathlib import Path

import pytest

from tests.browser import CONTRASTS, chromium, console_errors, requested, wait_for
from tl_experts import Corpus, collect_responses, find_experts, load_sentences
from tl_experts.errors import CorpusError
from tl_experts.pages.inspector import inspect

pytestmark = pytest.mark.slow

HOSTILE = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    "</style><img src=x onerror='window.hacked = 3'>",
    "javascript:window.hacked=4",
    "{{data}} ${window.hacked=5} <!-- <script>",
    "\u202eright to left\u0000\u0007",
)
SHADED = """[...document.querySelectorAll('#sentences .sentence span')]
    .filter((s) => Number((s.style.background.match(/[\\d.]+\\)$/) || ['0'])[0].replace(')', '')) > 0.3).length"""


@pytest.fixture(scope="module")
def driver():
    with chromium() as there:
        yield there


@pytest.fixture(scope="module")
def sentences():
    return load_sentences("bundled", split="dev", limit=20)


@pytest.fixture(scope="module")
def responses(mini, sentences):
    return collect_responses(mini, sentences, progress=False)


@pytest.fixture(scope="module")
def experts(mini, sentences):
    return find_experts(mini, sentences, k=12, progress=False)


@pytest.fixture(scope="module")
def saved(mini, experts, sentences, tmp_path_factory) -> Path:
    return inspect(mini, experts, sentences, progress=False).save(tmp_path_factory.mktemp("page") / "inspector.html")


@pytest.fixture
def opened(driver, saved):
    driver.get_log("performance")
    driver.get(saved.as_uri())
    wait_for(driver, "document.querySelector('#name') !== null")
    return driver


def press(driver, *keys):
    from selenium.webdriver.common.action_chains import ActionChains

    for key in keys:
        ActionChains(driver).send_keys(key).perform()


def test_a_neuron_is_chosen_and_its_tokens_are_shaded(opened, experts):
    second = experts["en"]
    name = f"L{second.layer[1]} N{second.neuron[1]}"
    opened.find_elements("css selector", ".list button")[1].click()
    assert opened.find_element("id", "name").text == name
    assert opened.execute_script(f"return {SHADED}") > 0
    assert opened.current_url.endswith("#" + name.replace(" ", ""))
    first, best = opened.find_element("css selector", "#scores tr:nth-child(2)").text.split()[:2]
    assert first == "en"
    assert float(best) == pytest.approx(second.statistics["auroc"][1], abs=1e-4)
    assert console_errors(opened) == []
    assert {url.split(":")[0] for url in requested(opened)} <= {"file", "data"}


def test_typing_a_neuron_goes_there_or_says_why_not(opened, experts):
    from selenium.webdriver.common.keys import Keys

    last = experts["ja"]
    name = f"L{last.layer[-1]} N{last.neuron[-1]}"
    opened.find_element("id", "find").send_keys(name, Keys.ENTER)
    assert opened.find_element("id", "name").text == name
    opened.find_element("id", "find").send_keys("L12", Keys.ENTER)
    assert "write L12 N847" in opened.find_element("id", "message").text
    assert opened.find_element("id", "name").text == name


def test_the_address_of_a_language_opens_its_first_expert(driver, saved, experts):
    driver.get("about:blank")
    driver.get(f"{saved.as_uri()}#de/2")
    wait_for(driver, "document.querySelector('#name') !== null")
    second = experts["de"]
    assert driver.find_element("id", "name").text == f"L{second.layer[1]} N{second.neuron[1]}"


def test_the_keyboard_reaches_every_control(opened):
    from selenium.webdriver.common.keys import Keys

    opened.find_element("tag name", "h1").click()
    reached = []
    for _ in range(8):
        press(opened, Keys.TAB)
        reached.append(
            opened.execute_script("const at = document.activeElement; return at.id || at.className || at.tagName")
        )
    assert reached[:7] == ["language", "layer", "rank", "previous", "next", "find", "now"]
    name = opened.find_element("id", "name").text
    opened.execute_script("document.querySelector('.list .now').focus()")
    press(opened, Keys.ARROW_DOWN)
    assert opened.find_element("id", "name").text != name
    press(opened, Keys.ARROW_UP)
    assert opened.find_element("id", "name").text == name, "the list keeps the focus while one walks through it"
    opened.execute_script("document.querySelector('#rank').focus()")
    press(opened, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert opened.execute_script("return [document.activeElement.id, document.activeElement.value]") == ["rank", "3"]


def test_text_contrasts_with_its_background(opened):
    found = opened.execute_script(CONTRASTS)
    assert len(found) > 100
    assert min(found)[0] >= 4.5, min(found)


def test_a_narrow_screen_scrolls_in_one_direction_only(driver, saved):
    # A window is never narrower than some 500 pixels; a phone is set by device metrics.
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        driver.get(saved.as_uri())
        wait_for(driver, "document.querySelector('#name') !== null")
        assert driver.execute_script("return [innerWidth, document.scrollingElement.scrollWidth]") == [390, 390]
        for control in ("language", "layer", "rank", "previous", "next", "find"):
            box = driver.find_element("id", control).rect
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 390
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_text_from_outside_appears_as_text(driver, mini, tmp_path, monkeypatch):
    texts = {"en": list(HOSTILE), "de": [f"Satz {text}" for text in HOSTILE]}
    with pytest.raises(CorpusError, match="not a language code"):
        Corpus.from_texts({HOSTILE[0]: list(HOSTILE)})
    hostile = Corpus.from_texts(texts, name=HOSTILE[1])
    monkeypatch.setattr(mini.cfg, "model_name", HOSTILE[0])
    found = inspect(mini, find_experts(mini, hostile, k=2, progress=False), hostile, progress=False)
    driver.get(found.save(tmp_path / "hostile.html").as_uri())
    wait_for(driver, "document.querySelector('#name') !== null")
    for box in driver.find_elements("css selector", "details:not([open]) summary"):
        box.click()
    shown = driver.execute_script(
        "return document.body.innerText + [...document.querySelectorAll('option')].map((o) => o.text)"
    )
    assert HOSTILE[0] in shown
    assert HOSTILE[1] in shown
    assert "javascript:window.hacked=4" in shown
    assert "\\u202e" in shown
    assert "\\u0000" in shown
    assert driver.execute_script("return [window.hacked, document.scripts.length, document.images.length]") == [
        None,
        2,
        0,
    ]
    assert console_errors(driver) == []


@pytest.fixture(scope="module")
def address(mini, experts, responses, saved):
    """The live inspector on a free port."""
    pytest.importorskip("dash")
    from werkzeug.serving import make_server

    from tl_experts.pages.inspector.live import Live
    from tl_experts.pages.inspector.server import Loading, make_app

    app = make_app(saved.read_text("utf-8"), Loading(lambda: Live(mini, experts, responses)), experts.counts)
    server = make_server("127.0.0.1", 0, app.server, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}/"
    server.shutdown()


def continued(driver, button: str, before: str) -> str:
    """Press a button and wait for another comparison than the one that is shown."""
    driver.find_element("id", button).click()
    shown = "document.querySelector('#comparison').innerText"
    wait_for(driver, f"{shown}.includes('Logits') && {shown} !== {json.dumps(before)}")
    return driver.execute_script(f"return {shown}")


def test_the_live_inspector_steers(driver, address, experts):
    from selenium.webdriver.common.keys import Keys

    driver.get_log("performance")
    console_errors(driver)
    driver.get(address)
    wait_for(driver, "document.querySelectorAll('#view input').length === 3")
    frame = driver.find_element("tag name", "iframe")
    driver.switch_to.frame(frame)
    wait_for(driver, "document.querySelector('#name') !== null")
    driver.switch_to.default_content()
    _, neuron, steer = driver.find_elements("css selector", "#view label")
    neuron.click()
    wait_for(driver, "document.body.innerText.includes('AUROC')")
    box = driver.find_element("id", "neuron")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("L7 N3", Keys.ENTER)
    wait_for(driver, "document.body.innerText.includes('L7 N3')")
    wait_for(driver, "document.body.innerText.includes('promotes')")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys("<script>window.hacked=6</script>", Keys.ENTER)
    wait_for(driver, "document.body.innerText.includes('write it as L12 N847')")
    steer.click()
    wait_for(driver, "document.querySelector('#steer').offsetParent !== null")
    outputs = [""]
    for moves in (0, 6):
        if moves:
            driver.find_element("css selector", "#k [role=slider]").send_keys(*[Keys.ARROW_LEFT] * moves)
        outputs.append(continued(driver, "steer", outputs[-1]))
    one = driver.find_element("id", "one")
    one.send_keys(Keys.CONTROL, "a")
    one.send_keys(f"L{experts['de'].layer[0]} N{experts['de'].neuron[0]}", Keys.ENTER)
    wait_for(driver, "Number(document.querySelector('#value [role=slider]').getAttribute('aria-valuemax')) > 1")
    outputs.append(continued(driver, "set", outputs[-1]))
    driver.find_element("css selector", "#value [role=slider]").send_keys(Keys.HOME)
    outputs.append(continued(driver, "set", outputs[-1]))
    assert driver.execute_script("return window.hacked") is None
    assert console_errors(driver) == []
    assert {url.split("/")[2] for url in requested(driver) if url.startswith("http")} == {address.split("/")[2]}
