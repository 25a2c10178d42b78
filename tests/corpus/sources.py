"""The same sentences as every kind of source that `load_sentences` reads."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import datasets
import pandas as pd
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from tests.conftest import TEXTS
from tl_experts.corpus.sentences import Corpus

Records = list[dict[str, object]]

WIDE: Records = [{code: TEXTS[code][i] for code in TEXTS} for i in range(3)]
LONG: Records = [
    {"text": text, "language": code, "row": str(i)} for code in TEXTS for i, text in enumerate(TEXTS[code][:3])
]
EXPECTED = Corpus.from_texts({code: texts[:3] for code, texts in TEXTS.items()}, aligned=True)

fast = settings(max_examples=40)
# Without surrogates, NUL and byte-order mark, which no text file can hold anywhere.
line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0\ufeff"), min_size=1, max_size=12)
sentence = line.filter(str.strip)


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


def content(corpus: Corpus) -> list[tuple[str, str, str | None]]:
    return list(zip(corpus.labels, corpus.texts, corpus.rows, strict=True))
