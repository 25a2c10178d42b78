"""The live page of a neuron while its sentences are still being read."""

import threading

import pytest

from tests.browser import chromium, console_errors, wait_for
from tl_experts import collect_responses, find_experts, load_sentences
from tl_experts.pages.inspector import inspect

pytestmark = pytest.mark.slow


def test_a_histogram_grows_while_sentences_are_read_and_then_is_that_of_all(mini, tmp_path, monkeypatch):
    from werkzeug.serving import make_server

    from tl_experts.pages.inspector import sampled
    from tl_experts.pages.inspector.live import Live
    from tl_experts.pages.inspector.loading import Loading
    from tl_experts.pages.inspector.server import make_app

    sentences = load_sentences("bundled", split="dev", limit=20)
    responses = collect_responses(mini, sentences, progress=False)
    experts = find_experts(mini, sentences, k=12, progress=False)
    saved = inspect(mini, experts, sentences, progress=False).save(tmp_path / "inspector.html")
    gate, passes = threading.Semaphore(1), []

    class Gated(sampled.Sampled):
        def _run(self, *span):
            assert gate.acquire(timeout=60)
            passes.append(span)
            return super()._run(*span)

    def make(_say):
        live = Live(mini, experts, responses)
        live.load()
        return live

    monkeypatch.setattr("tl_experts.pages.inspector.live.Sampled", Gated)
    app = make_app(saved.read_text("utf-8"), Loading(make, steps=1), experts.counts)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    so_far = "document.querySelector('#so-far')?.textContent"
    try:
        with chromium() as driver:
            driver.get("about:blank")
            driver.get(f"http://127.0.0.1:{server.port}/#L7N3")
            wait_for(
                driver, f"/From 16 of 180 sentences so far/.test({so_far}) && document.querySelector('#histogram')"
            )
            wait_for(driver, "document.querySelector('#weights')?.textContent.includes(\"Pearson's r\")")
            buttons = "[...document.querySelectorAll('#actions button')].map((button) => button.textContent)"
            assert driver.execute_script(f"return {buttons}") == ["Copy link"], "parts of a histogram are not saved"
            driver.execute_script("document.querySelector('#sentences details:not([open])').open = true")
            opened = "document.querySelectorAll('#sentences details[open]').length"
            assert driver.execute_script(f"return {opened}") == 2
            gate.release()
            wait_for(driver, f"/From 32 of 180 sentences so far/.test({so_far})")
            assert driver.execute_script(f"return {opened}") == 2, "what was opened stays open"
            assert len(driver.find_elements("id", "histogram")) == 1
            gate.release(20)
            wait_for(driver, "document.querySelector('#so-far') === null")
            assert "tokens of 180 sentences" in driver.find_element("id", "tokens").text
            assert driver.execute_script(f"return {opened}") == 2
            assert driver.execute_script(f"return {buttons}") == ["JSON", "SVG", "PNG", "Copy link"]
            assert len(passes) == 12
            assert console_errors(driver) == []
    finally:
        gate.release(20)
        server.shutdown()
