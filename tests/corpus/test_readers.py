"""Every source `load_sentences` reads, and every reason it refuses one."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import datasets
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import TEXTS
from tl_experts import load_sentences
from tl_experts.corpus.sentences import Corpus
from tl_experts.errors import CorpusError

Records = list[dict[str, object]]

WIDE: Records = [{code: TEXTS[code][i] for code in TEXTS} for i in range(3)]
LONG: Records = [
    {"text": text, "language": code, "row": str(i)} for code in TEXTS for i, text in enumerate(TEXTS[code][:3])
]
EXPECTED = Corpus.from_texts({code: texts[:3] for code, texts in TEXTS.items()}, aligned=True)

fast = settings(max_examples=40, deadline=None)
# Without surrogates, NUL and byte-order mark, which no text file can hold at any place.
line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0\ufeff"), min_size=1, max_size=12)
sentence = line.filter(str.strip)


def says(*parts: str) -> str:
    """A pattern for messages that have all of the parts, in any order."""
    return "(?s)" + "".join(f"(?=.*{re.escape(part)})" for part in parts)


def put(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def jsonl(records: Iterable[dict[str, object]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def delimited(records: Records, delimiter: str) -> str:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(records[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


def as_jsonl(folder: Path, records: Records) -> Path:
    return put(folder / "table.jsonl", jsonl(records))


def as_csv(folder: Path, records: Records) -> Path:
    return put(folder / "table.csv", delimited(records, ","))


def as_tsv(folder: Path, records: Records) -> Path:
    return put(folder / "table.tsv", delimited(records, "\t"))


def as_parquet(folder: Path, records: Records) -> Path:
    pd.DataFrame(records).to_parquet(folder / "table.parquet")
    return folder / "table.parquet"


def as_dataset(folder: Path, records: Records) -> datasets.Dataset:
    return datasets.Dataset.from_list(records)


def as_stream(folder: Path, records: Records) -> datasets.IterableDataset:
    return datasets.IterableDataset.from_generator(lambda: iter(records))


FILES = [as_jsonl, as_csv, as_tsv, as_parquet]
SOURCES = [*FILES, as_dataset, as_stream]
every_file = pytest.mark.parametrize("make", FILES)
every_source = pytest.mark.parametrize("make", SOURCES)
Make = Callable[[Path, Records], object]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("property")


def content(corpus: Corpus) -> list[tuple[str, str, str | None]]:
    return list(zip(corpus.labels, corpus.texts, corpus.rows, strict=True))


# Tables


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
    corpus = load_sentences(make(tmp_path, records), text_column="sent", language_column="lang", row_column="number")
    assert content(corpus) == content(EXPECTED)


@every_source
def test_flores_codes_name_columns(make: Make, tmp_path: Path) -> None:
    records = [{"eng_Latn": "a", "zho_Hant": "b", "zho_Hans": "c"}]
    assert load_sentences(make(tmp_path, records)).labels == ("en", "zh-Hant", "zh")


@pytest.mark.parametrize("argument", ["text_column", "language_column", "row_column"])
@every_source
def test_an_unknown_column_is_refused(make: Make, argument: str, tmp_path: Path) -> None:
    source = make(tmp_path, LONG)
    known = {"text_column": "text", "language_column": "language", "row_column": "row"}[argument]
    assert len(load_sentences(source, **{argument: known})) == len(LONG)
    with pytest.raises(CorpusError, match=says(f"unknown column {known + 's'!r}", f"did you mean {known!r}")):
        load_sentences(source, **{argument: known + "s"})


@every_source
def test_a_table_with_neither_layout_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("['title', 'text']", "'language'", "text_column=", "language_column=")):
        load_sentences(make(tmp_path, [{"title": "a", "text": "b"}]))


@every_source
def test_columns_that_are_no_language_are_ignored(make: Make, tmp_path: Path) -> None:
    records = [{"url": "x", "en": "a", "topic": "y", "de": "b", "is_valid": "yes"}]
    assert content(load_sentences(make(tmp_path, records))) == [("en", "a", "0"), ("de", "b", "0")]


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
def test_an_id_column_is_indonesian_in_a_wide_table_and_the_row_in_a_long_one(make: Make, tmp_path: Path) -> None:
    wide = make(tmp_path, [{"id": "Selamat pagi.", "en": "Good morning."}])
    assert content(load_sentences(wide)) == [("id", "Selamat pagi.", "0"), ("en", "Good morning.", "0")]
    long = make(tmp_path, [{"id": "7", "text": "a", "language": "en"}, {"id": "7", "text": "b", "language": "id"}])
    assert content(load_sentences(long)) == [("en", "a", "7"), ("id", "b", "7")]


def test_a_column_asked_for_as_row_is_no_language(tmp_path: Path) -> None:
    path = as_jsonl(tmp_path, [{"id": "7", "en": "a", "de": "b"}])
    assert content(load_sentences(path, row_column="id")) == [("en", "a", "7"), ("de", "b", "7")]


@every_source
@pytest.mark.parametrize("cell", ["NA", "1.0", "null", "None", "nan", "007", "True", "1e5", " padded ", "N/A", "-"])
def test_every_cell_stays_the_text_it_is(make: Make, cell: str, tmp_path: Path) -> None:
    records = [{"en": cell, "de": cell}, {"en": "plain", "de": cell}]
    assert load_sentences(make(tmp_path, records)).texts == (cell, "plain", cell, cell)


@every_source
@pytest.mark.parametrize("blank", ["", "  "])
def test_an_empty_cell_is_refused(make: Make, blank: str, tmp_path: Path) -> None:
    wide = make(tmp_path, [WIDE[0], WIDE[1] | {"de": blank, "ja": blank}])
    with pytest.raises(CorpusError, match=says("row 1 is empty in de, ja", "every language", "dropping the row")):
        load_sentences(wide)
    long = make(tmp_path, [*LONG[:2], LONG[2] | {"text": blank}, *LONG[3:]])
    with pytest.raises(CorpusError, match=says("sentence 2 (en, row 2) is empty", "remove it or fill it in")):
        load_sentences(long)


@pytest.mark.parametrize("make", [as_jsonl, as_parquet, as_dataset, as_stream])
def test_a_missing_value_is_no_text(make: Make, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("row 1 is empty in de")):
        load_sentences(make(tmp_path, [WIDE[0], WIDE[1] | {"de": None}]))
    for column in ("text", "language"):
        with pytest.raises(CorpusError, match=says("row 2 has no 'text' or no 'language'")):
            load_sentences(make(tmp_path, [*LONG[:2], LONG[2] | {column: None}, *LONG[3:]]))


@every_source
def test_a_label_that_is_no_language_code_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("'klingonish' is not a language code", "expected", "'eng_Latn'")):
        load_sentences(make(tmp_path, [*LONG, {"text": "nuqneH", "language": "klingonish", "row": "0"}]))


def test_a_language_in_two_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("'en'", "twice")):
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
def test_a_damaged_table_is_refused(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path, WIDE)
    damage = {".jsonl": b'{"en": ', ".csv": b'en,de\n"a,b\n', ".tsv": b'en\tde\n"a\tb\n', ".parquet": b"PAR1 no PAR1"}
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
    corpus = load_sentences(make(folder, records))
    assert corpus.texts == tuple(record[code] for code in ("en", "de") for record in records)


# Text files


@pytest.fixture
def text_folder(tmp_path: Path) -> Path:
    for code, texts in TEXTS.items():
        put(tmp_path / "texts" / f"{code}.txt", "\n".join(texts[:3]) + "\n")
    return tmp_path / "texts"


def test_a_folder_and_a_mapping_of_text_files_read_the_same(text_folder: Path) -> None:
    paths = {code: text_folder / f"{code}.txt" for code in sorted(TEXTS)}
    expected = content(EXPECTED.only(sorted(TEXTS)))
    assert content(load_sentences(text_folder, aligned=True)) == expected
    assert content(load_sentences(paths, aligned=True)) == expected
    assert content(load_sentences({code: str(path) for code, path in paths.items()}, aligned=True)) == expected


def test_text_files_are_aligned_only_where_asked(text_folder: Path) -> None:
    put(text_folder / "de.txt", "Eins.\nZwei.\n")
    assert load_sentences(text_folder).counts == {"de": 2, "en": 3, "ja": 3, "ru": 3}
    assert set(load_sentences(text_folder).rows) == {None}
    with pytest.raises(CorpusError, match=says(str(text_folder), "'de': 2", "'en': 3", "one sentence per row")):
        load_sentences(text_folder, aligned=True)


def test_files_that_are_not_named_like_a_language_are_ignored(text_folder: Path) -> None:
    for name in ("README.txt", "notes.txt", "fr.md", "is_valid.txt"):
        put(text_folder / name, "Read me.")
    put(text_folder / "ceb_Latn.txt", "Maayong buntag.")
    assert set(load_sentences(text_folder).languages) == {*TEXTS, "ceb"}


@pytest.mark.parametrize("code", ["ceb", "ast", "yue"])
def test_a_flores_language_without_a_two_letter_code_names_a_file(code: str, text_folder: Path) -> None:
    put(text_folder / f"{code}.txt", "Maayong buntag.")
    assert set(load_sentences(text_folder).languages) == {*TEXTS, code}


def test_a_folder_without_text_files_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "README.txt", "Read me.")
    with pytest.raises(CorpusError, match=says(str(tmp_path), "no file named like a language", "'en.txt'")):
        load_sentences(tmp_path)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with BOM"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("closed", [True, False])
def test_marks_and_line_ends_are_no_part_of_a_sentence(mark: bytes, end: bytes, closed: bool, tmp_path: Path) -> None:
    path = put(tmp_path / "ru.txt", mark + end.join(text.encode() for text in TEXTS["ru"]) + end * closed)
    assert list(load_sentences({"ru": path}, min_languages=1).texts) == TEXTS["ru"]


@fast
@given(st.lists(sentence, min_size=1, max_size=5))
def test_any_line_is_one_sentence(folder: Path, lines: list[str]) -> None:
    path = put(folder / "en.txt", "\n".join(lines))
    assert list(load_sentences({"en": path}, min_languages=1).texts) == lines


@pytest.mark.parametrize("blank", ["", "  ", "\r"])
def test_an_empty_line_inside_a_text_file_is_refused(blank: str, text_folder: Path) -> None:
    path = put(text_folder / "en.txt", f"One.\n{blank}\nThree.\n")
    with pytest.raises(CorpusError, match=says(str(path), "line 2 is empty", "every line must hold a sentence")):
        load_sentences(text_folder)


@pytest.mark.parametrize("nothing", ["", "\n", " \n\n"])
def test_a_text_file_without_a_sentence_is_refused(nothing: str, text_folder: Path) -> None:
    put(text_folder / "en.txt", nothing)
    with pytest.raises(CorpusError, match=says("language 'en' has no sentence", "add some or leave it out")):
        load_sentences(text_folder)


def test_a_text_file_that_is_not_utf8_is_refused(text_folder: Path) -> None:
    path = put(text_folder / "de.txt", "Für alle.".encode("latin-1"))
    with pytest.raises(CorpusError, match=says(str(path), "byte 0xfc", "offset 1", "iconv")):
        load_sentences(text_folder)


def test_a_missing_text_file_is_refused(text_folder: Path) -> None:
    with pytest.raises(CorpusError, match=says(str(text_folder / "fr.txt"), "No such file", "existing")):
        load_sentences({"en": text_folder / "en.txt", "fr": text_folder / "fr.txt"})


def test_a_mapping_key_that_is_no_language_is_refused(text_folder: Path) -> None:
    with pytest.raises(CorpusError, match=says("'english' is not a language code", "'en'")):
        load_sentences({"english": text_folder / "en.txt", "de": text_folder / "de.txt"})


def test_a_mapping_to_sentences_is_refused_and_pointed_at_from_texts() -> None:
    with pytest.raises(CorpusError, match=says("'en'", "list", "Corpus.from_texts")):
        load_sentences({"en": ["Good morning."], "de": ["Guten Morgen."]})


def test_one_text_file_is_refused_since_its_language_is_unknown(text_folder: Path) -> None:
    for path in (text_folder / "en.txt", put(text_folder / "table.xlsx", "PK")):
        with pytest.raises(
            CorpusError, match=says(str(path), "expected one of .jsonl, .csv, .tsv, .parquet", "{'en':")
        ):
            load_sentences(path)


# `datasets` and the hub


@pytest.mark.parametrize("streaming", [False, True])
def test_a_split_of_a_dataset_dict_is_read(streaming: bool, tmp_path: Path) -> None:
    make, kind = (as_stream, datasets.IterableDatasetDict) if streaming else (as_dataset, datasets.DatasetDict)
    splits = kind({"dev": make(tmp_path, WIDE), "test": make(tmp_path, [{"en": "x", "de": "y"}])})
    assert content(load_sentences(splits, split="dev")) == content(EXPECTED)
    assert load_sentences(splits, split="test").texts == ("x", "y")
    with pytest.raises(CorpusError, match=says("split 'tset' is not known", "did you mean 'test'")):
        load_sentences(splits, split="tset")
    with pytest.raises(CorpusError, match=says("split None", "choose one of 'dev', 'test'")):
        load_sentences(splits)


def test_a_stream_is_read_no_further_than_the_limit() -> None:
    served = []

    def endless() -> Iterator[dict[str, str]]:
        while True:
            served.append(len(served))
            yield {"en": f"a{served[-1]}", "de": f"b{served[-1]}"}

    corpus = load_sentences(datasets.IterableDataset.from_generator(endless), limit=3)
    assert corpus.texts == ("a0", "a1", "a2", "b0", "b1", "b2")
    assert len(served) == 3


def test_a_hub_name_is_streamed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def load_dataset(*args: object, **options: object) -> datasets.IterableDataset:
        asked.append((args, options))
        return as_stream(tmp_path, WIDE)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    corpus = load_sentences("owner/name", split="dev", config="all")
    assert content(corpus) == content(EXPECTED)
    assert asked == [(("owner/name", "all"), {"split": "dev", "streaming": True})]


def test_a_hub_name_that_cannot_be_opened_is_refused() -> None:
    with pytest.raises(
        CorpusError, match=says("'no-such-owner/no-such-set'", "data hub", "Check the name", "give the file")
    ):
        load_sentences("no-such-owner/no-such-set", split="dev")


def test_a_hub_stream_that_breaks_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_off() -> Iterator[dict[str, str]]:
        yield {"en": "a", "de": "b"}
        raise ConnectionError("connection reset")

    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: datasets.IterableDataset.from_generator(breaks_off))
    with pytest.raises(CorpusError, match=says("owner/name", "connection reset")):
        load_sentences("owner/name", split="dev")


def test_a_hub_name_needs_a_split() -> None:
    with pytest.raises(CorpusError, match=says("owner/name", "say which split", "split='dev'")):
        load_sentences("owner/name")


@pytest.mark.parametrize("name", ["bundeld", "/none/at/all", "./none/here", "a/b/c", "~/none"])
def test_a_name_that_is_nothing_is_refused(name: str) -> None:
    with pytest.raises(CorpusError, match=says(repr(name), "does not exist", "'bundled'", "'owner/name'")):
        load_sentences(name, split="dev")


@pytest.mark.parametrize(
    "source",
    [42, None, [{"en": "a", "de": "b"}], pd.DataFrame({"en": ["a"]})],
    ids=lambda source: type(source).__name__,
)
def test_another_object_is_refused(source: object) -> None:
    with pytest.raises(CorpusError, match=says(type(source).__name__, "expected 'bundled', a file, a folder")):
        load_sentences(source)


def test_the_message_about_another_object_is_short() -> None:
    with pytest.raises(CorpusError) as caught:
        load_sentences([{"en": "a", "de": "b"}] * 10_000)
    assert len(str(caught.value)) < 1000


# Splits, limits, languages

SPLIT_WIDE: Records = [
    {"en": "a", "de": "b", "split": "dev"},
    {"en": "c", "de": "d", "split": "test"},
    {"en": "e", "de": "f", "split": "dev"},
]
SPLIT_LONG: Records = [
    {"text": record[code], "language": code, "row": str(i), "split": record["split"]}
    for code in ("en", "de")
    for i, record in enumerate(SPLIT_WIDE)
]


@every_source
@pytest.mark.parametrize("records", [SPLIT_WIDE, SPLIT_LONG], ids=["wide", "long"])
def test_a_split_column_splits_a_table(make: Make, records: Records, tmp_path: Path) -> None:
    source = make(tmp_path, records)
    dev = [("en", "a", "0"), ("en", "e", "2"), ("de", "b", "0"), ("de", "f", "2")]
    assert content(load_sentences(source, split="dev")) == dev
    assert content(load_sentences(source, split="test")) == [("en", "c", "1"), ("de", "d", "1")]
    assert len(load_sentences(source)) == 6
    with pytest.raises(CorpusError, match=says("split 'tset' is not known", "did you mean 'test'")):
        load_sentences(source, split="tset")


@every_source
@pytest.mark.parametrize("records", [SPLIT_WIDE, SPLIT_LONG], ids=["wide", "long"])
def test_a_sentence_in_two_splits_is_refused(make: Make, records: Records, tmp_path: Path) -> None:
    leaked = [
        {key: "a" if value == "c" else value for key, value in record.items()} for record in records
    ]  # the English test sentence is that of dev
    source = make(tmp_path, leaked)
    for split in ("dev", "test"):
        with pytest.raises(CorpusError, match=says("share 1 sentence", "('en', 'a')", "in one split only")):
            load_sentences(source, split=split)


def test_the_message_about_a_shared_sentence_names_the_splits(tmp_path: Path) -> None:
    path = as_jsonl(tmp_path, [SPLIT_WIDE[0], SPLIT_WIDE[1] | {"en": "a"}])
    with pytest.raises(CorpusError, match=says(str(path), "'dev'", "'test'")):
        load_sentences(path, split="dev")


@every_source
def test_a_split_of_a_table_without_splits_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("'dev'", "'split'")):
        load_sentences(make(tmp_path, WIDE), split="dev")


def test_a_split_of_text_files_is_refused(text_folder: Path) -> None:
    with pytest.raises(CorpusError, match=says("'dev'", "split")):
        load_sentences(text_folder, split="dev")
    with pytest.raises(CorpusError, match=says("'dev'", "split")):
        load_sentences({code: text_folder / f"{code}.txt" for code in TEXTS}, split="dev")


@every_source
def test_limit_counts_rows_of_a_table(make: Make, tmp_path: Path) -> None:
    assert content(load_sentences(make(tmp_path, WIDE), limit=2)) == content(EXPECTED.head(2))
    assert load_sentences(make(tmp_path, WIDE), limit=100).texts == EXPECTED.texts
    assert content(load_sentences(make(tmp_path, LONG), limit=4)) == content(EXPECTED)[:4]


def test_limit_counts_lines_of_every_text_file(text_folder: Path) -> None:
    assert load_sentences(text_folder, limit=2, aligned=True).counts == {"de": 2, "en": 2, "ja": 2, "ru": 2}
    assert load_sentences(text_folder, limit=100).counts == {"de": 3, "en": 3, "ja": 3, "ru": 3}


def test_an_empty_line_is_refused_though_it_be_the_last_within_the_limit(text_folder: Path) -> None:
    path = put(text_folder / "en.txt", "One.\n\nThree.\n")
    assert load_sentences(text_folder, limit=1).counts["en"] == 1
    with pytest.raises(CorpusError, match=says(str(path), "line 2 is empty")):
        load_sentences(text_folder, limit=2)


def test_lines_beyond_the_limit_are_not_read(tmp_path: Path) -> None:
    path = put(tmp_path / "table.jsonl", jsonl(WIDE) + "broken\n")
    assert content(load_sentences(path, limit=3)) == content(EXPECTED)
    with pytest.raises(CorpusError, match="line 4 is not JSON"):
        load_sentences(path, limit=4)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int, tmp_path: Path) -> None:
    path = as_jsonl(tmp_path, WIDE)
    assert len(load_sentences(path, limit=1)) == 4
    with pytest.raises(CorpusError, match=f"limit is {limit}; expected at least 1, or None for all"):
        load_sentences(path, limit=limit)


@every_source
@pytest.mark.parametrize("records", [WIDE, LONG], ids=["wide", "long"])
def test_languages_are_kept_in_the_asked_order(make: Make, records: Records, tmp_path: Path) -> None:
    corpus = load_sentences(make(tmp_path, records), languages=["jpn_Jpan", "en", "ja"])
    assert content(corpus) == content(EXPECTED.only(["ja", "en"]))


@every_source
def test_a_language_without_a_sentence_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("'fr' has no sentence", "choose one of 'en', 'de', 'ru', 'ja'")):
        load_sentences(make(tmp_path, WIDE), languages=["en", "fr"])
    with pytest.raises(CorpusError, match=says("no language was asked for", "'en', 'de', 'ru', 'ja'")):
        load_sentences(make(tmp_path, WIDE), languages=[])


def test_one_language_is_enough_only_where_it_is_said(tmp_path: Path) -> None:
    path = as_jsonl(tmp_path, WIDE)
    assert load_sentences(path, languages=["en", "de"]).languages == ("en", "de")
    assert load_sentences(path, languages=["en"], min_languages=1).languages == ("en",)
    with pytest.raises(CorpusError, match=says(str(path), "one language only (en)", "at least 2", "min_languages=1")):
        load_sentences(path, languages=["en"])


def test_the_number_of_languages_is_told_as_it_is(tmp_path: Path) -> None:
    path = as_jsonl(tmp_path, [{"en": "a", "de": "b"}])
    assert len(load_sentences(path, min_languages=2).languages) == 2
    with pytest.raises(CorpusError, match=says("en, de", "expected at least 3")) as caught:
        load_sentences(path, min_languages=3)
    assert "one language only" not in str(caught.value)


def test_reading_twice_gives_the_same_corpus(tmp_path: Path) -> None:
    path = as_csv(tmp_path, WIDE)
    assert load_sentences(path) == load_sentences(path)
    assert load_sentences(path).fingerprint == EXPECTED.fingerprint
