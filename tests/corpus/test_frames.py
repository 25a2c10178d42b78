"""Objects in memory: data sets, frames, mappings, rows, pairs, generators and series give the same sentences."""

from collections.abc import Callable, Iterator

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.corpus.sources import EXPECTED, LONG, WIDE, Records, content
from tests.messages import says
from tl_experts import load_sentences
from tl_experts.errors import CorpusError, TLExpertsWarning

FRAMES: dict[str, Callable[[Records], object]] = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "polars, lazy": lambda records: pl.DataFrame(records).lazy(),
    "arrow": pa.Table.from_pylist,
    "rows": list,
    "generator": iter,
    "function": lambda records: lambda: records,
    "datasets": datasets.Dataset.from_list,
    "datasets, arrow": lambda records: datasets.Dataset.from_list(records).with_format("arrow"),
    "datasets, pandas": lambda records: datasets.Dataset.from_list(records).with_format("pandas"),
    "datasets, numpy": lambda records: datasets.Dataset.from_list(records).with_format("numpy"),
}
every_frame = pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)


@every_frame
@pytest.mark.parametrize("records", [WIDE, LONG], ids=["wide", "long"])
def test_every_frame_gives_the_same_corpus(make: Callable[[Records], object], records: Records) -> None:
    assert content(load_sentences(make(records))) == content(EXPECTED)


@every_frame
def test_a_null_raises_or_drops_its_row(make: Callable[[Records], object]) -> None:
    records = [WIDE[0], WIDE[1] | {"de": None}, WIDE[2]]
    with pytest.raises(CorpusError, match=says("row 1 is empty in de", "1 of 3", "blanks='drop'")):
        load_sentences(make(records))
    with pytest.warns(TLExpertsWarning, match=says("dropped 1 of 3 rows", "row 1 is empty in de")):
        corpus = load_sentences(make(records), blanks="drop")
    assert corpus.counts == {"en": 2, "de": 2, "ru": 2, "ja": 2}
    assert corpus["ja"].rows == ("0", "2")
    # A language that is not asked for does not matter.
    assert load_sentences(make(records), languages=["en", "ja"]).counts == {"en": 3, "ja": 3}
    assert len(load_sentences(make(records), languages=["en"], min_languages=1)) == 3


SENTENCES: dict[str, Callable[[list[str]], object]] = {
    "list": list,
    "tuple": tuple,
    "generator": iter,
    "array": np.array,
    "series of pandas": pd.Series,
    "series of polars": pl.Series,
}


@pytest.mark.parametrize("make", SENTENCES.values(), ids=SENTENCES)
def test_a_mapping_of_sentences_is_read(make: Callable[[list[str]], object]) -> None:
    texts = {"en": ["a", "b"], "de": ["c", "d"]}
    corpus = load_sentences({code: make(some) for code, some in texts.items()})
    assert content(corpus) == [("en", "a", None), ("en", "b", None), ("de", "c", None), ("de", "d", None)]
    assert load_sentences({code: make(some) for code, some in texts.items()}, aligned=True).rows == ("0", "1") * 2


def test_pairs_of_language_and_text_are_read() -> None:
    pairs = [("eng_Latn", "a"), ("de", "b"), ("eng_Latn", "c")]
    expected = [("en", "a", None), ("de", "b", None), ("en", "c", None)]
    assert content(load_sentences(pairs)) == expected
    assert content(load_sentences(iter(pairs))) == expected
    assert content(load_sentences([list(pair) for pair in pairs])) == expected
    series = pd.Series([text for _, text in pairs], index=[code for code, _ in pairs])
    assert content(load_sentences(series)) == expected
    assert load_sentences(pairs, limit=2).texts == ("a", "b")


def test_a_generator_is_read_no_further_than_the_limit() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "a"

    assert load_sentences({"en": endless(), "de": endless()}, limit=3).counts == {"en": 3, "de": 3}


def test_a_class_label_is_read_as_its_name() -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "language": datasets.ClassLabel(names=["en", "de"])}
    )
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "language": [1, 0]}, features=features)
    expected = [("de", "a", None), ("en", "b", None)]
    assert content(load_sentences(rows)) == expected
    assert content(load_sentences(rows.with_format("arrow"))) == expected
    assert content(load_sentences(rows.to_iterable_dataset())) == expected
    assert content(load_sentences(rows.data.table)) == expected


def test_a_row_without_a_class_has_no_language() -> None:
    features = datasets.Features({"text": datasets.Value("string"), "language": datasets.ClassLabel(names=["en"])})
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "language": [0, -1]}, features=features)
    with pytest.raises(CorpusError, match="row 1 is empty in its language"):
        load_sentences(rows)


def test_a_translation_feature_is_a_wide_table() -> None:
    features = datasets.Features(
        {"id": datasets.Value("string"), "translation": datasets.Translation(languages=["en", "id"])}
    )
    rows = [{"id": "7", "translation": {"en": "a", "id": "b"}}, {"id": "8", "translation": {"en": "c", "id": "d"}}]
    corpus = load_sentences(datasets.Dataset.from_list(rows, features=features))
    assert content(corpus) == [("en", "a", "0"), ("en", "c", "1"), ("id", "b", "0"), ("id", "d", "1")]


def test_a_mapping_of_text_and_other_values_raises() -> None:
    with pytest.raises(CorpusError, match=says("'de'", "expected sentences")):
        load_sentences({"en": ["a"], "de": "b.txt"})
