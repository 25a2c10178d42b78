"""Which columns of a table are languages; and the law that no language is merged or lost."""

import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus.sources import content, fast, put, sentence
from tests.corpus.test_languages import FLORES_200
from tests.messages import says
from tl_experts import load_sentences
from tl_experts.corpus.languages import language_code
from tl_experts.errors import CorpusError, TLExpertsWarning

CELLS = [3, 7.5, "17", "doc-3", "n01001011", None]


@pytest.mark.parametrize("column", ["id", "no", "run", "sid", "en_id"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_column_of_numbers_or_marks_is_not_a_language(column: str, cell: object) -> None:
    rows = [{column: cell, "en": "a", "de": "b"}, {column: cell, "en": "c", "de": "d"}]
    with pytest.warns(TLExpertsWarning, match=f"columns '{column}'"):
        assert load_sentences(rows).languages == ("en", "de")


@pytest.mark.parametrize(("column", "code"), [("id", "id"), ("no", "no"), ("run", "rn"), ("is", "is"), ("to", "to")])
def test_the_same_column_with_text_is_a_language(column: str, code: str) -> None:
    assert load_sentences([{column: "Selamat pagi", "en": "a"}]).languages == (code, "en")


def test_a_csv_of_numbered_rows_has_no_indonesian(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "id,en,de\n1,a,b\n2,c,d\n")
    with pytest.warns(TLExpertsWarning, match="'id'"):
        assert load_sentences(path).languages == ("en", "de")


@pytest.mark.parametrize("cell", [["a"], {"a": "b"}, b"a", ("a",)])
def test_a_language_column_of_anything_but_text_raises(cell: object) -> None:
    with pytest.raises(CorpusError, match=says("row 0", "'de'", "expected text")):
        load_sentences([{"en": "a", "de": cell}])
    with pytest.raises(CorpusError, match=says("row 1", "'de'", "expected text")):
        load_sentences([{"en": "a", "de": "b"}, {"en": "c", "de": cell}])


def test_a_column_with_the_name_of_a_small_language_is_read_where_asked_for() -> None:
    rows = [{"tag": "Some text.", "en": "a", "de": "b"}]
    with pytest.warns(TLExpertsWarning, match="'tag'"):
        assert load_sentences(rows).languages == ("en", "de")
    assert load_sentences(rows, languages=["tag", "en"]).texts == ("Some text.", "a")


def test_nothing_is_said_where_nothing_is_passed_over() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", TLExpertsWarning)
        load_sentences("bundled", split="dev", limit=2)
        load_sentences([{"row": 1, "en": "a", "de": "b", "split": "dev"}])


TWINS = ("en", "eng", "EN", "zh", "zh-Hans", "cmn_Hans", "sr-Cyrl", "ara", "arb", "pt-BR", "por")
labels = st.lists(st.sampled_from([*FLORES_200, *TWINS]), min_size=2, max_size=8, unique=True)
texts = st.lists(sentence.map(lambda text: f"a {text}"), min_size=1, max_size=3)


@fast
@given(labels, texts, st.booleans())
def test_distinct_labels_give_as_many_languages_or_an_error_that_names_two(
    names: list[str], drawn: list[str], wide: bool
) -> None:
    table = [{name: f"{text} {name}" for name in names} for text in drawn]
    rows = table if wide else [{"language": code, "text": text} for row in table for code, text in row.items()]
    if len({language_code(name) for name in names}) < len(names):
        with pytest.raises(CorpusError, match="both the language") as caught:
            load_sentences(rows)
        assert len([name for name in names if repr(name) in str(caught.value)]) >= 2
        return
    corpus = load_sentences(rows)
    assert len(corpus.languages) == len(names)
    # Every sentence is a cell of its table, and every cell a sentence.
    assert sorted(corpus.texts) == sorted(text for row in table for text in row.values())


def test_alignment_rows_are_those_of_the_table() -> None:
    rows = [{"en": "a", "de": "b"}, {"en": "", "de": "d"}, {"en": "e", "de": "f"}]
    with pytest.warns(TLExpertsWarning, match="dropped 1 of 3"):
        kept = content(load_sentences(rows, blanks="drop"))
    assert kept == [("en", "a", "0"), ("en", "e", "2"), ("de", "b", "0"), ("de", "f", "2")]
