"""The page: what comes from outside stays text."""

import html
import json
import re

from tl_experts import Corpus, find_experts
from tl_experts.pages.inspector import inspect
from tl_experts.pages.inspector.page import safe_json

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
