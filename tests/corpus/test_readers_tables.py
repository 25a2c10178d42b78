"""Tables of every kind give the same corpus; cells, columns and rows that cannot be read raise an error."""

import warnings
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.sources import (
    EXPECTED,
    LONG,
    WIDE,
    Make,
    Records,
    as_csv,
    as_dataset,
    as_jsonl,
    as_parquet,
    as_stream,
    as_tsv,
    content,
    every_file,
    every_source,
    fast,
    put,
    sentence,
)
from tests.messages import says
from tl_experts import Columns, load_sentences
from tl_experts.errors import CorpusError, TLExpertsWarning


@every_source
@pytest.mark.parametrize("records", [WIDE, LONG], ids=["wide", "long"])
def test_every_table_gives_the_same_corpus(make: Make, records: Records, tmp_path: Path) -> None:
    assert content(load_sentences(make(tmp_path, records))) == content(EXPECTED)


def test_a_path_may_be_a_string(tmp_path: Path) -> None:
    path = as_jsonl(tmp_path, WIDE)
    assert load_sentences(str(path)) == load_sentences(path)
    assert load_sentences(path).name == str(path)


@every_source
def test_a_long_table_without_rows_is_not_aligned(make: Make, tmp_path: Path) -> None:
    records = [{"text": record["text"], "language": record["language"]} for record in LONG]
    assert load_sentences(make(tmp_path, records)).rows == (None,) * len(records)


@every_source
def test_columns_and_labels_may_have_other_names(make: Make, tmp_path: Path) -> None:
    flores = {"en": "eng_Latn", "de": "deu_Latn", "ru": "rus_Cyrl", "ja": "jpn_Jpan"}
    records = [
        {"sent": record["text"], "lang": flores[str(record["language"])], "number": record["row"]} for record in LONG
    ]
    corpus = load_sentences(make(tmp_path, records), columns=Columns("sent", "lang", "number"))
    assert content(corpus) == content(EXPECTED)


@every_source
def test_flores_codes_name_columns(make: Make, tmp_path: Path) -> None:
    records = [{"eng_Latn": "a", "zho_Hant": "b", "zho_Hans": "c"}]
    assert load_sentences(make(tmp_path, records)).labels == ("en", "zh-Hant", "zh")


@pytest.mark.parametrize("column", ["text", "language", "row"])
@every_source
def test_an_unknown_column_raises(make: Make, column: str, tmp_path: Path) -> None:
    source = make(tmp_path, LONG)
    assert len(load_sentences(source, columns=Columns(**{column: column}))) == len(LONG)
    with pytest.raises(CorpusError, match=says(f"unknown column {column + 's'!r}", f"did you mean {column!r}")):
        load_sentences(source, columns=Columns(**{column: column + "s"}))


@every_source
def test_a_table_with_neither_layout_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=says("['title', 'text']", "'language'", "columns=Columns(text=..., language=...)")
    ):
        load_sentences(make(tmp_path, [{"title": "a", "text": "b"}]))


@every_source
def test_columns_that_are_not_languages_are_named_in_a_warning(make: Make, tmp_path: Path) -> None:
    records = [{"url": "x", "en": "a", "topic": "y", "de": "b", "is_valid": "yes"}]
    source = make(tmp_path, records)
    with pytest.warns(TLExpertsWarning, match=says("'url', 'topic', 'is_valid'", "not read")):
        assert content(load_sentences(source)) == [("en", "a", "0"), ("de", "b", "0")]
    # Languages that are named say which columns are meant.
    with warnings.catch_warnings():
        warnings.simplefilter("error", TLExpertsWarning)
        assert load_sentences(source, languages=["en", "de"]).texts == ("a", "b")


@pytest.mark.parametrize("column", ["row", "row_id"])
@every_source
def test_a_row_column_names_the_rows(make: Make, column: str, tmp_path: Path) -> None:
    wide = [{column: "first", "en": "a", "de": "b"}, {column: "second", "en": "c", "de": "d"}]
    assert load_sentences(make(tmp_path, wide)).rows == ("first", "second", "first", "second")
    with pytest.raises(CorpusError, match=says("row 'first' has 'en' twice", "unique")):
        load_sentences(make(tmp_path, [wide[0], wide[1] | {column: "first"}]))


def test_a_record_without_its_row_is_refused(tmp_path: Path) -> None:
    records = [{"row": "first", "en": "a", "de": "b"}, {"row": "second", "en": "c", "de": "d"}]
    assert len(load_sentences(as_jsonl(tmp_path, records))) == 4
    del records[1]["row"]
    with pytest.raises(CorpusError, match=says("table.jsonl", "row 1", "'row'")):
        load_sentences(as_jsonl(tmp_path, records))


@every_source
def test_an_id_column_is_indonesian_in_a_wide_table_and_a_row_only_if_named(make: Make, tmp_path: Path) -> None:
    wide = make(tmp_path, [{"id": "Selamat pagi.", "en": "Good morning."}])
    assert content(load_sentences(wide)) == [("id", "Selamat pagi.", "0"), ("en", "Good morning.", "0")]
    long = make(tmp_path, [{"id": "7", "text": "a", "language": "en"}, {"id": "7", "text": "b", "language": "id"}])
    assert content(load_sentences(long)) == [("en", "a", None), ("id", "b", None)]
    assert content(load_sentences(long, columns=Columns(row="id"))) == [("en", "a", "7"), ("id", "b", "7")]


def test_a_document_id_that_recurs_is_no_obstacle(tmp_path: Path) -> None:
    records = [{"id": "d1", "text": text, "language": code} for code, text in [("en", "a"), ("en", "b"), ("de", "c")]]
    assert load_sentences(records).rows == (None, None, None)
    with pytest.raises(CorpusError, match=says("row 'd1' has 'en' twice", "columns=Columns(row=False)")):
        load_sentences(records, columns=Columns(row="id"))


@pytest.mark.parametrize("records", [WIDE, LONG], ids=["wide", "long"])
def test_alignment_can_be_switched_off(records: Records) -> None:
    corpus = load_sentences([{"row": 1, **record} for record in records], columns=Columns(row=False))
    assert set(corpus.rows) == {None}
    assert corpus.texts == EXPECTED.texts


def test_a_column_named_as_row_is_not_a_language(tmp_path: Path) -> None:
    path = as_jsonl(tmp_path, [{"id": "7", "en": "a", "de": "b"}])
    assert content(load_sentences(path, columns=Columns(row="id"))) == [("en", "a", "7"), ("de", "b", "7")]


@every_source
@pytest.mark.parametrize("cell", ["NA", "1.0", "null", "None", "nan", "007", "True", "1e5", " padded ", "N/A", "-"])
def test_every_cell_stays_the_text_it_is(make: Make, cell: str, tmp_path: Path) -> None:
    records = [{"en": cell, "de": cell}, {"en": "plain", "de": cell}]
    assert load_sentences(make(tmp_path, records)).texts == (cell, "plain", cell, cell)


@every_source
@pytest.mark.parametrize("blank", ["", "  "])
def test_an_empty_cell_is_refused(make: Make, blank: str, tmp_path: Path) -> None:
    wide = make(tmp_path, [WIDE[0], WIDE[1] | {"de": blank, "ja": blank}])
    with pytest.raises(CorpusError, match=says("row 1 is empty in de, ja", "blanks='drop'", "1 of 2")):
        load_sentences(wide)
    long = make(tmp_path, [*LONG[:2], LONG[2] | {"text": blank}, *LONG[3:]])
    with pytest.raises(CorpusError, match=says("row 2 is empty in its text (en)", "fill it in")):
        load_sentences(long)


@pytest.mark.parametrize("make", [as_jsonl, as_parquet, as_dataset, as_stream])
def test_a_missing_value_is_no_text(make: Make, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("row 1 is empty in de")):
        load_sentences(make(tmp_path, [WIDE[0], WIDE[1] | {"de": None}]))
    for column in ("text", "language"):
        with pytest.raises(CorpusError, match=says(f"row 2 is empty in its {column}")):
            load_sentences(make(tmp_path, [*LONG[:2], LONG[2] | {column: None}, *LONG[3:]]))


@every_source
def test_a_label_that_is_no_language_code_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("'klingonish' is not a language code", "expected", "'eng_Latn'")):
        load_sentences(make(tmp_path, [*LONG, {"text": "nuqneH", "language": "klingonish", "row": "0"}]))


def test_a_language_in_two_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("'en' and 'eng_Latn' are both the language 'en'")):
        load_sentences(as_csv(tmp_path, [{"en": "a", "eng_Latn": "b", "de": "c"}]))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("table.csv", "'en'")):
        load_sentences(put(tmp_path / "table.csv", "en,en,de\na,b,c\n"))


@pytest.mark.parametrize(("suffix", "separator"), [("csv", ","), ("tsv", "\t")])
@pytest.mark.parametrize("rows", [["a|b|c"], ["a|b|c", "d|e|f"], ["a|b", "d|e|f"]], ids=["only", "all", "last"])
def test_a_row_with_more_cells_than_columns_is_refused(
    suffix: str, separator: str, rows: list[str], tmp_path: Path
) -> None:
    table = "\n".join(["en|de", *rows]).replace("|", separator)
    with pytest.raises(CorpusError, match=f"table.{suffix}(?s:.*)(cells|fields|columns)"):
        load_sentences(put(tmp_path / f"table.{suffix}", table))


def test_a_row_with_fewer_cells_than_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("table.csv", "row 1 is empty in de")):
        load_sentences(put(tmp_path / "table.csv", "en,de\na,b\nc\n"))


@every_file
def test_a_byte_order_mark_is_no_part_of_the_first_column(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path, WIDE)
    if path.suffix != ".parquet":
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert content(load_sentences(path)) == content(EXPECTED)


@pytest.mark.parametrize("make", [as_jsonl, as_csv, as_tsv])
@pytest.mark.parametrize("records", [WIDE, LONG], ids=["wide", "long"])
def test_lines_that_end_in_crlf_read_the_same(make: Make, records: Records, tmp_path: Path) -> None:
    path = make(tmp_path, records)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert content(load_sentences(path)) == content(EXPECTED)


@pytest.mark.parametrize("make", [as_jsonl, as_csv, as_tsv])
def test_bytes_that_are_not_utf8_are_refused_by_their_place(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path, [{"en": "a", "de": "über"}])
    assert len(load_sentences(path)) == 2
    latin = path.read_bytes().decode().encode("latin-1")
    path.write_bytes(latin)
    with pytest.raises(CorpusError, match=says(str(path), "byte 0xfc", f"offset {latin.index(0xFC)}", "iconv")):
        load_sentences(path)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ('{"en": "c"', ["line 3 is not JSON", '\'{"en": "c"\'']),
        ("not json", ["line 3 is not JSON", "'not json'"]),
        ('["c", "d"]', ["line 3 is a list", "expected an object"]),
        ('"c"', ["line 3 is a str", "expected an object"]),
        ("null", ["line 3 is a NoneType", "expected an object"]),
        ('{"en": ' + "1" * 5000 + "}", ["line 3 is not JSON"]),
    ],
    ids=["cut", "words", "list", "string", "null", "endless number"],
)
def test_a_line_that_is_no_json_object_is_refused_by_its_number(broken: str, said: list[str], tmp_path: Path) -> None:
    good = '{"en": "a", "de": "b"}\n\n'
    assert len(load_sentences(put(tmp_path / "good.jsonl", good))) == 2
    with pytest.raises(CorpusError, match=says("bad.jsonl", *said)):
        load_sentences(put(tmp_path / "bad.jsonl", good + broken + "\n"))


def test_json_with_half_a_surrogate_pair_is_refused(tmp_path: Path) -> None:
    good = put(tmp_path / "good.jsonl", '{"en": "\\ud83d\\ude00", "de": "b"}')
    assert load_sentences(good).texts[0] == "\U0001f600"
    with pytest.raises(CorpusError, match=says("bad.jsonl", r"\ud83d")):
        load_sentences(put(tmp_path / "bad.jsonl", '{"en": "\\ud83d", "de": "b"}'))


@pytest.mark.parametrize("value", [["a", "b"], {"en": "a"}], ids=["list", "object"])
def test_a_cell_that_holds_a_list_or_an_object_is_no_sentence(value: object, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("table.jsonl", "row 0", repr(value))):
        load_sentences(as_jsonl(tmp_path, [{"text": value, "language": "en"}, {"text": "c", "language": "de"}]))


@every_file
def test_a_damaged_table_raises(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path, WIDE)
    damage = {".jsonl": b'{"en": ', ".csv": b'en,de\n"a,b\n', ".tsv": b"en\tde\na\tb\tc\n", ".parquet": b"PAR1 no PAR1"}
    path.write_bytes(damage[path.suffix])
    with pytest.raises(CorpusError, match=says(str(path), "JSON" if path.suffix == ".jsonl" else path.suffix[1:])):
        load_sentences(path)


@every_file
def test_a_table_without_rows_is_refused(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path, WIDE)
    if path.suffix == ".parquet":
        pd.DataFrame({"en": [], "de": []}).to_parquet(path)
    else:
        path.write_bytes(b"" if path.suffix == ".jsonl" else path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(CorpusError, match=says(str(path), "no rows", "expected one sentence")):
        load_sentences(path)


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_an_empty_table_file_is_refused(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says(f"table.{suffix}", "cannot be read")):
        load_sentences(put(tmp_path / f"table.{suffix}", ""))


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
def test_a_missing_table_is_refused(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says(f"none.{suffix}", "does not exist", "give an existing file")):
        load_sentences(tmp_path / f"none.{suffix}")


@fast
@given(st.lists(st.tuples(sentence, sentence), min_size=1, max_size=5))
def test_any_text_survives_jsonl(folder: Path, pairs: list[tuple[str, str]]) -> None:
    records = [{"en": one + "\n" + two, "de": two} for one, two in pairs]
    corpus = load_sentences(as_jsonl(folder, records))
    assert corpus.texts == tuple(record[code] for code in ("en", "de") for record in records)


@fast
@given(st.lists(st.tuples(sentence, sentence), min_size=1, max_size=5), st.sampled_from([as_csv, as_tsv]))
def test_any_text_survives_a_quoted_table(folder: Path, pairs: list[tuple[str, str]], make: Make) -> None:
    records = [{"en": one + "\n" + two, "de": two} for one, two in pairs]
    corpus = load_sentences(make(folder, records), quoted=True)
    assert corpus.texts == tuple(record[code] for code in ("en", "de") for record in records)
