"""The page around the sections: packed data comes back, contents lead to anchors, no request is allowed."""

import base64
import gzip
import json
import re

import numpy as np
import pandas as pd

from tl_experts.pages.reporting.page import Section, pack, page
from tl_experts.pages.reporting.tables import table_section, tables_data


def unpacked(text: str, name: str) -> str:
    (coded,) = re.findall(f'id="packed-{name}">([^<]*)</script>', text)
    return gzip.decompress(base64.b64decode(coded)).decode()


def test_what_is_packed_comes_back_the_same_each_time():
    text = "ein Satz, 一つの文, </script>" * 9
    assert pack(text) == pack(text)
    assert gzip.decompress(base64.b64decode(pack(text))).decode() == text


def test_contents_lead_to_every_section_and_entry():
    entries = (("figure-a", "A < B"),)
    sections = [Section("figures", "Figures", '<figure id="figure-a"></figure>', entries), Section("end", "End", "")]
    data = {"figures": {"a": [["</script>", {}]]}, "tables": {"t": "x\n1\n"}}
    text = page("A & <b>", "<p>first</p>", sections, data)
    for anchor in re.findall(r'href="#([^"]*)"', text):
        assert f'id="{anchor}"' in text
    assert "A &lt; B" in text
    assert "<title>A &amp; &lt;b&gt;</title>" in text
    assert json.loads(unpacked(text, "data")) == data
    from plotly.offline import get_plotlyjs

    assert unpacked(text, "plotly") == get_plotlyjs()
    assert len(text) < 2_200_000, "plotly alone is 4.8 MB as text"


def test_a_row_of_a_long_table_weighs_little(monkeypatch):
    # As markup, the rows of the shipped comparison of polyglot-mini were a third of its 3.4 MB.
    monkeypatch.setattr("tl_experts.pages.reporting.page._plotly", str)
    names = ["dev_top1", "top1", "low", "high", "from_target", "to_target", "gain", "gain_low", "gain_high", "p"]
    numbers = np.random.default_rng(0).integers(0, 480, (400, len(names))) / 480
    table = pd.DataFrame(numbers, columns=names).assign(target="es", method="auroc, set mean", view="centred")

    def weight(rows):
        shown = {"alignment": table[:rows]}
        sections = [Section(name, name, table_section(name, rows, "", None)) for name, rows in shown.items()]
        return len(page("title", "", sections, {"figures": {}, **tables_data(shown, None)}))

    assert (weight(400) - weight(150)) / 250 < 150


def test_no_request_is_allowed_and_phones_know_their_width():
    text = page("title", "", [], {})
    assert "default-src 'none'" in text
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
