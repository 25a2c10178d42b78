"""The inspector in a real browser: it works, without a network, and what comes from outside stays text."""

import json
import threading
from pathlib import Path

import pytest

from tests.browser import (
    CONTRASTS,
    OVERLAPS,
    SMALL,
    accessibility_violations,
    chromium,
    console_errors,
    requested,
    screen,
    wait_for,
)
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


OPENED = """[...document.querySelectorAll('#sentences details[open]')].every((box) =>
    [...box.querySelectorAll('.sentence span')].some((piece) => / in layer 7/.test(piece.title)))"""


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
    assert opened.current_url.endswith(f"#{name.replace(' ', '')}&language=en")
    assert opened.title.startswith(f"{name} · en · ")
    first, best = opened.find_element("css selector", "#scores tbody tr").text.split()[:2]
    assert first == "en"
    assert float(best) == pytest.approx(second.statistics["auroc"][1], abs=1e-4)
    assert opened.find_elements("id", "report") == []
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


@pytest.mark.parametrize("width", [390, 1280])
def test_everything_fits_and_can_be_read_at_every_width(width, driver, saved):
    with screen(driver, width):
        driver.get(saved.as_uri())
        wait_for(driver, "document.querySelector('#histogram') !== null")
        assert driver.execute_script("return document.scrollingElement.scrollWidth <= innerWidth")
        for control in ("language", "layer", "rank", "previous", "next", "find", "histogram", "strip", "actions"):
            box = driver.find_element("id", control).rect
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["height"] >= 16
        assert driver.execute_script(SMALL) == []
        assert driver.execute_script(OVERLAPS, "#histogram text") == []
        assert driver.execute_script(OVERLAPS, ".bar > *, #actions > button") == []
        assert "NaN" not in driver.execute_script("return document.getElementById('app').innerHTML")
        bars = driver.execute_script("return document.querySelectorAll('#histogram rect').length")
        assert bars > 5
        assert len(driver.find_elements("css selector", "#histogram .quantile")) == 4


def test_examples_come_from_every_interval_and_their_token_is_outlined(opened):
    for interval in opened.find_elements("css selector", "#intervals .interval"):
        lines = interval.find_elements("css selector", ".sentence")
        assert all(len(line.find_elements("css selector", ".marked")) == 1 for line in lines)
    assert len(opened.find_elements("css selector", "#intervals .marked")) > 8
    title = opened.find_element("css selector", "#intervals .marked").get_attribute("title")
    assert float(title.split(": ")[-1].split()[0]) > 0


def test_a_neuron_is_saved_as_json(opened, experts):
    # What a click would save is read where it is made.
    found = opened.execute_async_script(
        "const done = arguments[0]; const made = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { blob.text().then(done); URL.createObjectURL = made; return '#'; };"
        "document.querySelector('#actions button').click()"
    )
    record = json.loads(found)
    assert (record["layer"], record["neuron"]) == (experts["en"].layer[0], experts["en"].neuron[0])
    assert record["measures"]["auroc"][0] == pytest.approx(experts["en"].statistics["auroc"][0], abs=1e-4)
    assert len(record["responses"]) == len(record["sentences"])


def test_axe_finds_no_violation(opened):
    assert accessibility_violations(opened) == []


def test_text_from_outside_appears_as_text(driver, mini, tmp_path, monkeypatch):
    texts = {"en": list(HOSTILE), "de": [f"Satz {text}" for text in HOSTILE]}
    with pytest.raises(CorpusError, match="not a language code"):
        Corpus.from_texts({HOSTILE[0]: list(HOSTILE)})
    hostile = Corpus.from_texts(texts, name=HOSTILE[1])
    monkeypatch.setattr(mini.cfg, "model_name", HOSTILE[0])
    found = inspect(mini, find_experts(mini, hostile, k=2, progress=False), hostile, progress=False)
    driver.get(found.save(tmp_path / "hostile.html").as_uri())
    wait_for(driver, "document.querySelector('#name') !== null")
    driver.execute_script("for (const box of document.querySelectorAll('details')) box.open = true")
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
    pytest.importorskip("flask")
    from werkzeug.serving import make_server

    from tl_experts.pages.inspector.live import Live
    from tl_experts.pages.inspector.loading import Loading
    from tl_experts.pages.inspector.server import make_app

    loading = Loading(lambda say: Live(mini, experts, responses), steps=1, then=Live.prepare)
    server = make_server("127.0.0.1", 0, make_app(saved.read_text("utf-8"), loading, experts.counts), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.port}/"
    server.shutdown()


@pytest.fixture
def lived(driver, address):
    driver.get_log("performance")
    console_errors(driver)
    driver.get("about:blank")
    driver.get(address)
    wait_for(driver, "document.querySelector('#name') !== null && document.querySelector('#loading') === null")
    yield driver
    assert driver.execute_script("return window.hacked") is None
    asked = {url.split("/")[2] for url in requested(driver) if url.startswith("http")}
    assert asked == {address.split("/")[2]}


def write(driver, name, text, *keys):
    from selenium.webdriver.common.keys import Keys

    driver.find_element("id", name).send_keys(Keys.CONTROL, "a")
    driver.find_element("id", name).send_keys(text, *keys)


def test_any_neuron_is_shown_and_an_error_is_said_once(lived):
    from selenium.webdriver.common.keys import Keys

    write(lived, "find", "L7 N3", Keys.ENTER)
    wait_for(lived, "document.querySelector('#name').textContent === 'L7 N3'")
    wait_for(lived, "document.querySelector('#histogram') && !document.querySelector('#so-far')")
    wait_for(lived, "document.querySelector('#weights').textContent.includes(\"Pearson's r\")")
    assert lived.title.startswith("L7 N3 · ")
    assert "promotes" in lived.find_element("css selector", "article").text
    # The sentences of one language are shaded at once, those of another when it is opened.
    for _ in range(2):
        wait_for(lived, OPENED)
        lived.execute_script("document.querySelector('#sentences details:not([open])').open = true")
    assert "NaN" not in lived.execute_script("return document.getElementById('app').innerHTML")
    lived.find_element("id", "score").click()
    wait_for(lived, "document.querySelector('#ranks') !== null")
    line = lived.find_element("css selector", "#intervals .sentence")
    lived.execute_script("arguments[0].dispatchEvent(new PointerEvent('pointerenter'))", line)
    wait_for(
        lived,
        r"/ in layer 7; next: \".+\" \d+%, /.test(document.querySelector('#intervals .sentence span[title]').title)",
    )
    lived.find_element("id", "silence").click()
    wait_for(lived, "document.querySelectorAll('#effects tbody tr').length > 0")
    write(lived, "find", "<script>window.hacked=6</script>", Keys.ENTER)
    assert "write L12 N847" in lived.find_element("id", "message").text
    write(lived, "find", "L70 N3", Keys.ENTER)
    wait_for(lived, "document.querySelector('[role=alert]') !== null")
    assert [box.text for box in lived.find_elements("css selector", ".warn") if box.text] == [
        "no neuron L70 N3: layers are 0 to 7"
    ]


def test_the_page_is_painted_and_works_before_the_model_is_loaded(driver, saved, experts):
    from werkzeug.serving import make_server

    from tl_experts.pages.inspector.loading import Loading
    from tl_experts.pages.inspector.server import make_app

    gate = threading.Event()
    app = make_app(saved.read_text("utf-8"), Loading(lambda say: gate.wait(60), steps=1), experts.counts)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        driver.get("about:blank")
        driver.get(f"http://127.0.0.1:{server.port}/")
        painted = "performance.getEntriesByName('first-contentful-paint').length === 1"
        wait_for(driver, f"{painted} && document.querySelector('#histogram') !== null")
        name = driver.find_element("id", "name").text
        driver.find_element("id", "next").click()
        assert driver.find_element("id", "name").text != name
        shown = driver.find_element("id", "app")
        assert "step 1 of 1" in driver.find_element("id", "loading").text
        assert "NaN" not in shown.get_attribute("innerHTML")
    finally:
        gate.set()
        server.shutdown()


def test_one_click_steers_with_a_neuron_and_the_address_holds_it(lived, address):
    from selenium.webdriver.common.keys import Keys

    name = lived.find_element("id", "name").text.replace(" ", "")
    lived.find_element("id", "steer-neuron").click()
    assert lived.find_element("id", "neuron").get_attribute("value") == name
    assert float(lived.find_element("id", "at").get_attribute("value")) > 0
    write(lived, "tokens", "4")
    write(lived, "prompt", "The file", Keys.ENTER)
    wait_for(lived, "document.querySelector('#logits') !== null")
    shown = lived.execute_script("return [...document.querySelectorAll('.sides p')].map((box) => box.textContent)")
    assert len(shown) == 2
    assert all(text.startswith("The file") for text in shown)
    assert lived.title.startswith(f"Steer {name}")
    link = lived.current_url
    assert link.startswith(f"{address}#steer&")
    lived.get("about:blank")
    lived.get(link)
    wait_for(lived, "document.querySelector('#logits') !== null")
    again = lived.execute_script("return [...document.querySelectorAll('.sides p')].map((box) => box.textContent)")
    assert again == shown, "the address holds everything that the texts depend on"


def test_texts_of_several_seeds_stand_before_beside_after(lived, address):
    lived.get("about:blank")
    lived.get(f"{address}#steer&language=de&k=6&texts=2&tokens=4&run=1")
    wait_for(lived, "document.querySelector('#logits') !== null")
    rows = lived.find_elements("css selector", ".sides")
    assert len(rows) == 2
    for row in rows:
        before, after = (row.find_element("css selector", f".{side}").rect for side in ("before", "after"))
        assert before["y"] == after["y"]
        assert before["x"] + before["width"] <= after["x"]
    assert lived.find_element("css selector", "#by option:checked").text == "experts of a language"
    tuned = lived.execute_script("return [...document.querySelectorAll('#by option')].map((option) => option.value)")
    assert "tuned" in tuned, "a setting for polyglot-mini comes with the package"


def test_an_intervention_may_end_after_the_first_tokens(lived, address):
    def after(first: int) -> str:
        lived.get("about:blank")
        lived.get(f"{address}#steer&language=de&k=200&operation=add&strength=3&tokens=12&first={first}&run=1")
        wait_for(lived, "document.querySelector('#logits') !== null")
        assert lived.find_element("css selector", "#first").get_attribute("value") == str(first)
        return lived.find_element("css selector", ".after .written").text

    whole, most, one = after(0), after(12), after(1)
    assert most == whole != one


@pytest.mark.parametrize("width", [390, 1280])
def test_the_form_fits_and_axe_finds_no_violation(width, lived, address):
    with screen(lived, width):
        lived.get("about:blank")
        lived.get(f"{address}#steer&language=de&k=6&tokens=3&run=1")
        wait_for(lived, "document.querySelector('#logits') !== null")
        assert lived.execute_script("return document.scrollingElement.scrollWidth <= innerWidth")
        assert lived.execute_script(SMALL) == []
        assert lived.execute_script(OVERLAPS, "#steer label, #steer button") == []
        assert accessibility_violations(lived) == []
