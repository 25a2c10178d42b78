"""Tables of well-known data sets, recognised by their columns."""

from tests.corpus.sources import content
from tl_experts import load_sentences
from tl_experts.corpus.known import adapt
from tl_experts.corpus.options import Columns


def flores(code: str, script: str, number: int, text: str, **more: str) -> dict[str, object]:
    return {"id": number, "iso_639_3": code, "iso_15924": script, "text": text, **more}


def test_flores_plus_makes_codes_of_language_and_script() -> None:
    rows = [flores("srp", "Cyrl", 0, "a"), flores("srp", "Latn", 0, "b"), flores("eng", "Latn", 0, "c")]
    assert content(load_sentences(rows)) == [("sr", "a", "0"), ("sr-Latn", "b", "0"), ("en", "c", "0")]


def test_ids_that_begin_again_in_each_split_are_kept_apart() -> None:
    rows = [
        flores(code, "Latn", 0, f"{code} {split}", split=split) for code in ("eng", "deu") for split in ("dev", "test")
    ]
    assert load_sentences(rows, split="dev").texts == ("eng dev", "deu dev")
    assert load_sentences(rows).rows == ("dev/0", "test/0", "dev/0", "test/0")


def test_two_varieties_under_one_code_are_not_merged() -> None:
    rows = [
        flores("cat", "Latn", 0, "a", glottocode="stan1289"),
        flores("cat", "Latn", 0, "b", glottocode="vale1252"),
    ]
    assert load_sentences(rows).languages == ("ca-x-stan1289", "ca-x-vale1252")


def passage(language: str, link: str, text: str) -> dict[str, object]:
    return {"link": link, "question_number": 1, "flores_passage": text, "dialect": language}


def test_two_passages_of_one_article_are_not_aligned_by_it() -> None:
    rows = [passage(code, "a", f"{code} {n}") for code in ("eng_Latn", "deu_Latn") for n in (1, 2)]
    assert load_sentences(rows).rows == (None,) * 4
    split = [{**row, "split": f"s{n % 2}"} for n, row in enumerate(rows)]
    assert load_sentences(split).rows == ("a#s0", "a#s1", "a#s0", "a#s1")


def test_variable_languages_are_a_wide_table() -> None:
    rows = [{"translation": {"language": ["en", "de"], "translation": ["a", "b"]}}]
    assert content(load_sentences(rows)) == [("en", "a", "0"), ("de", "b", "0")]


def test_a_table_whose_columns_are_named_stays_as_it_is() -> None:
    rows = [passage("eng_Latn", "a", "text")]
    assert adapt(rows, Columns(text="link", language="dialect"), "rows") is rows
    assert adapt([{"a": 1}], Columns(), "rows") == [{"a": 1}]


def test_a_text_column_named_translation_is_text() -> None:
    rows = [{"translation": "a", "language": "en"}, {"translation": "b", "language": "de"}]
    assert load_sentences(rows, columns=Columns(text="translation")).texts == ("a", "b")
