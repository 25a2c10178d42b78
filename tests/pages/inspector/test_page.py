"""The page: what comes from outside stays text."""

import html
import json
import re

import pytest

from tl_experts import Corpus, find_experts
from tl_experts.errors import ArtefactError
from tl_experts.pages.inspector import inspect
from tl_experts.pages.inspector.page import live_page, safe_json, saved_data

EVIL = "</script><script>alert(1)</script>"


def test_text_from_outside_never_becomes_markup(llama, corpus):
    texts = {"en": [EVIL, "One.", "Two."], "de": ["Eins.", "\u202eZwei\x00.", "Drei."]}
    hostile = Corpus.from_texts(texts, name=EVIL)
    experts = find_experts(llama, corpus, k=2, progress=False)
    page = inspect(llama, experts, hostile, progress=False).to_html()
    assert "<script>alert" not in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert data["corpus"] == EVIL
    assert "".join(data["strings"][piece] for piece in data["sentences"][0][1]) == EVIL
    assert "default-src 'none'" in html.unescape(page)
    assert not re.findall(r'(?:src|href)\s*=\s*["\']?(?:https?:)?//', page)


def test_json_in_a_script_element_cannot_end_it():
    assert not set("<>&") & set(safe_json({"a": "</script>&<!--"}))


def test_the_live_page_is_the_saved_one_with_its_own_server_allowed(llama, experts, corpus):
    saved = inspect(llama, experts, corpus, k=1, progress=False).to_html()
    data = saved_data(saved)
    assert saved_data(live_page(saved, {"counts": {"en": 5}})) == {**data, "live": {"counts": {"en": 5}}}
    assert "connect-src" not in saved


def test_the_page_knows_whether_a_report_lies_beside_it(llama, experts, corpus, tmp_path):
    found = inspect(llama, experts, corpus, k=1, progress=False)
    for report in (False, True):
        path = found.save(tmp_path / "inspector.html", report=report)
        assert saved_data(path.read_text("utf-8"))["report"] is report


@pytest.mark.parametrize("text", ["", "<p>", '<script type="application/json" id="data">{</script>', "{}"])
def test_another_page_has_no_data_of_this_version(text):
    assert saved_data(text) is None
    with pytest.raises(ArtefactError, match="tl-experts inspect --save"):
        live_page(text, {})
