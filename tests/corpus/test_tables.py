"""TSV is unquoted, JSON has several shapes, Arrow two; suffixes in any case."""

import json
from pathlib import Path

import datasets
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.sources import EXPECTED, WIDE, content, delimited, fast, jsonl, put
from tests.messages import says
from tl_experts import load_sentences
from tl_experts.errors import CorpusError, TLExpertsWarning

QUOTED = ['"Hello', 'b"', '"c" d', "e", '"f']
TABLE = "en\tde\n" + "".join(f"{cell}\t{cell}\n" for cell in QUOTED)


def test_a_quotation_mark_in_tsv_is_text(tmp_path: Path) -> None:
    corpus = load_sentences(put(tmp_path / "a.tsv", TABLE))
    assert corpus["en"].texts == corpus["de"].texts == tuple(QUOTED)


def test_tsv_is_read_as_quoted_where_that_is_said(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tsv", 'en\tde\n"one ""two""."\t"a\tb"\n')
    assert load_sentences(path, quoted=True).texts == ('one "two".', "a\tb")
    with pytest.raises(CorpusError, match=says("quoted=True")):
        load_sentences(path)


def test_a_tsv_that_pandas_has_quoted_raises(tmp_path: Path) -> None:
    pd.DataFrame({"en": ['He said "yes".', "b"], "de": ["c", "d"]}).to_csv(tmp_path / "a.tsv", sep="\t", index=False)
    with pytest.raises(CorpusError, match=says("row 0 seems to be quoted", "quoted=True", "quoted=False")):
        load_sentences(tmp_path / "a.tsv")
    assert load_sentences(tmp_path / "a.tsv", quoted=True).texts[0] == 'He said "yes".'


cell = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=8)


@fast
@given(st.lists(st.tuples(cell, cell), min_size=1, max_size=5))
def test_any_text_survives_an_unquoted_tsv(folder: Path, pairs: list[tuple[str, str]]) -> None:
    path = put(folder / "a.tsv", "en\tde\n" + "".join(f"{one}\t{other}\n" for one, other in pairs))
    corpus = load_sentences(path, quoted=False)
    assert list(zip(corpus["en"].texts, corpus["de"].texts, strict=True)) == pairs


def test_rows_that_quoted_cells_have_swallowed_are_counted(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", 'en,de\n"a,b\nc",d\n')
    with pytest.warns(TLExpertsWarning, match=says("3 lines hold 2 rows", "quoted=False")):
        assert load_sentences(path).texts == ("a,b\nc", "d")


COLUMNS = {code: [row[code] for row in WIDE] for code in WIDE[0]}


@pytest.mark.parametrize(
    "written",
    [json.dumps(WIDE), json.dumps(COLUMNS), json.dumps({"data": WIDE}), jsonl(WIDE)],
    ids=["list", "columns", "data", "lines"],
)
def test_every_shape_of_json_is_read(written: str, tmp_path: Path) -> None:
    assert content(load_sentences(put(tmp_path / "a.json", written))) == content(EXPECTED)


@pytest.mark.parametrize("name", ["a.ndjson", "a.JSONL", "a.Csv", "a.TSV", "a.JSON"])
def test_suffixes_are_read_in_any_case(name: str, tmp_path: Path) -> None:
    written = {"csv": delimited(WIDE, ","), "tsv": delimited(WIDE, "\t")}.get(name[2:].lower(), jsonl(WIDE))
    assert content(load_sentences(put(tmp_path / name, written))) == content(EXPECTED)


@pytest.mark.parametrize("writer", [pa.ipc.new_stream, pa.ipc.new_file], ids=["stream", "file"])
def test_arrow_is_read(writer: object, tmp_path: Path) -> None:
    table = pa.Table.from_pylist(WIDE)
    with writer(tmp_path / "a.arrow", table.schema) as sink:
        sink.write_table(table)
    assert content(load_sentences(tmp_path / "a.arrow")) == content(EXPECTED)


def test_the_classes_of_a_parquet_file_are_read_as_names(tmp_path: Path) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "language": datasets.ClassLabel(names=["en", "de"])}
    )
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "language": [1, 0]}, features=features)
    rows.to_parquet(tmp_path / "a.parquet")
    assert content(load_sentences(tmp_path / "a.parquet")) == [("de", "a", None), ("en", "b", None)]


def test_a_file_of_one_language_is_labelled_by_its_name(tmp_path: Path) -> None:
    path = put(tmp_path / "xquad.es.json", json.dumps([{"text": "uno"}]))
    assert content(load_sentences(path, min_languages=1)) == [("es", "uno", None)]
