"""A table's HTML: escaped, folded if long, with links to the inspector where there is one."""

import re

import pandas as pd
import pytest

from tl_experts.pages.reporting.tables import FOLDED, NOT_UNPACKED, PACKED, as_csv, table_section, tables_data

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def table():
    return pd.DataFrame({"target": ["en", "all", EVIL], "gain": [0.1, None, 0.2], EVIL: ["a", "b", "c"]})


def test_text_from_outside_stays_text(table):
    text = table_section(EVIL, table, EVIL, "inspector.html")
    assert "<img" not in text
    assert text.count("&lt;img") >= 4


def test_headings_explain_themselves_and_cells_hold_the_values(table):
    text = table_section("gains", table, "", None)
    assert '<button type="button" title="Top-1 after minus top-1 before.">Gain <small>points</small></button>' in text
    assert re.findall(r'<td class="number">(.*?)</td>', text)[:5:2] == ["+10.0", "", "+20.0"]
    assert "<p" not in text, "no empty note"
    assert "<a href" not in text


def test_languages_link_to_their_experts(table):
    text = table_section("gains", table, "", "inspector.html")
    assert '<a href="inspector.html#en"' in text
    assert "#all" not in text


@pytest.mark.parametrize("rows", [1, FOLDED, FOLDED + 1])
def test_long_tables_are_folded(rows):
    text = table_section("gains", pd.DataFrame({"gain": [0.1] * rows}), "", None)
    assert text.startswith('<details class="table" id="table-gains"' + (" open>" if rows <= FOLDED else ">"))
    assert f"<span>{rows} row{'s' if rows > 1 else ''}</span>" in text


@pytest.mark.parametrize("rows", [PACKED, PACKED + 1])
def test_rows_of_the_longest_tables_are_data_and_not_markup(rows):
    table = pd.DataFrame({"target": [EVIL] * rows, "gain": [0.1] * rows})
    section, data = table_section("gains", table, "", None), tables_data({"gains": table}, None)
    held = section if rows == PACKED else data["rows"]["gains"]
    assert held.count("&lt;img") == held.count("+10.0") == rows
    assert "<img" not in held
    assert (NOT_UNPACKED in section) == (rows > PACKED) == ("gains" in data["rows"])
    assert data["tables"]["gains"].count("\n") == rows + 1


def test_languages_in_packed_rows_link_to_their_experts():
    table = pd.DataFrame({"target": ["en"] * (PACKED + 1)})
    assert 'href="inspector.html#en"' in tables_data({"gains": table}, "inspector.html")["rows"]["gains"]


def test_the_csv_is_that_of_pandas(table):
    table = table.assign(count=[1, 2, 3], flag=[True, False, True], text=['a "b", c', None, "d\ne"])
    assert as_csv(table) == table.to_csv(index=False)
