"""Text files, datasets, hub names, splits and limits: what `load_sentences` reads, and what it refuses."""

from collections.abc import Iterator
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import TEXTS
from tests.corpus.sources import (
    EXPECTED,
    LONG,
    WIDE,
    Make,
    Records,
    as_csv,
    as_dataset,
    as_jsonl,
    as_stream,
    content,
    every_source,
    fast,
    jsonl,
    put,
    sentence,
)
from tests.messages import says
from tl_experts import load_sentences
from tl_experts.errors import CorpusError

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
    with pytest.raises(CorpusError, match=says(str(path), "line 2 is empty in en", "blanks='drop'")):
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


def test_one_text_file_is_refused_since_its_language_is_unknown(text_folder: Path) -> None:
    for path in (text_folder / "en.txt", put(text_folder / "table.xlsx", "PK")):
        with pytest.raises(
            CorpusError, match=says(str(path), "expected one of", ".jsonl", ".csv, .tsv, .parquet", "{'en':")
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
    [42, None, ["a", "b"], b"en", object()],
    ids=lambda source: type(source).__name__,
)
def test_another_object_is_refused(source: object) -> None:
    with pytest.raises(CorpusError, match=says(type(source).__name__, "expected 'bundled', a file, a folder")):
        load_sentences(source)


def test_the_message_about_another_object_is_short() -> None:
    with pytest.raises(CorpusError) as caught:
        load_sentences(["a"] * 10_000)
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
