"""Tables of well-known data sets, recognised by their columns and rewritten as long or wide rows."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from tl_experts.corpus.options import Columns
from tl_experts.errors import CorpusError

TEXT_COLUMNS = ("flores_passage", "context")
"""Columns of text in data sets with one file or configuration per language."""

Records = list[dict[str, Any]]
Adapter = Callable[[Records, str], Records]


def adapt(records: Records, columns: Columns, name: str) -> Records:
    """The rows with the columns that all tables have; rows of an unknown table stay as they are.

    Columns that the caller names are taken from the table as it is.
    """
    if (columns.text, columns.language) != ("text", "language"):
        return records
    there = {column for record in records for column in record}
    for needed, adapter in KNOWN:
        if needed <= there:
            return adapter(records, name)
    return records


def _flores_plus(records: Records, name: str) -> Records:
    """FLORES+: ``iso_639_3`` and ``iso_15924`` make the code, ``id`` is the row; ids begin again in every split."""
    del name
    varieties = defaultdict(set)
    for record in records:
        varieties[_flores_name(record)].add(str(record.get("glottocode")))
    splits = len({str(record.get("split")) for record in records}) > 1
    return [
        {
            "text": record.get("text"),
            "language": _flores_code(record, varieties),
            "row": f"{record.get('split')}/{record.get('id')}" if splits else record.get("id"),
            **({"split": record["split"]} if "split" in record else {}),
        }
        for record in records
    ]


def _flores_code(record: dict[str, Any], varieties: Mapping[str, set[str]]) -> str:
    code = _flores_name(record)
    # Catalan and Valencian share both codes; their Glottolog codes keep them apart.
    return f"{code}-x-{record.get('glottocode')}" if len(varieties[code]) > 1 else code


def _flores_name(record: dict[str, Any]) -> str:
    return f"{record.get('iso_639_3')}_{record.get('iso_15924')}"


def _belebele(records: Records, name: str) -> Records:
    """Belebele: the passages, once each, though one or two questions are asked about each."""
    del name
    passages: dict[tuple[str, ...], dict[str, Any]] = {}
    for record in records:
        language = record.get("dialect") or record.get("language")
        row = "#".join(str(record[part]) for part in ("link", "split") if record.get(part))
        key = (str(language), row, str(record.get("flores_passage")))
        passages.setdefault(key, {"text": record.get("flores_passage"), "language": language, "row": row})
    # Two passages of one article cannot be distinguished without `split`: they are kept without alignment.
    count = Counter(key[:2] for key in passages)
    several = {row for (_, row), number in count.items() if number > 1}
    return [{**passage, "row": None if passage["row"] in several else passage["row"]} for passage in passages.values()]


def _xquad(records: Records, name: str) -> Records:
    """XQuAD as a table: the contexts, once each, under the id of their first question, which all languages share."""
    del name
    contexts: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        context, language = record.get("context"), record.get("language")
        contexts.setdefault(
            (str(language), str(context)), {"text": context, "language": language, "row": record.get("id")}
        )
    return list(contexts.values())


def _translation(records: Records, name: str) -> Records:
    """WMT, OPUS-100: a column ``translation`` with an object of sentence by language code."""
    if not any(isinstance(record.get("translation"), Mapping) for record in records):
        return records
    return [
        {
            **_sentences(record.get("translation"), f"{name}: row {index}, column 'translation',"),
            **{column: record[column] for column in ("row", "row_id", "split") if column in record},
        }
        for index, record in enumerate(records)
    ]


def _sentences(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise CorpusError(f"{where} holds {value!r}; expected an object of sentence by language code")
    languages, texts = value.get("language"), value.get("translation")
    if isinstance(languages, list | tuple) and isinstance(texts, list | tuple):  # TranslationVariableLanguages
        if len(set(languages)) < len(languages):
            raise CorpusError(f"{where} has a language twice: {list(languages)}; expected one sentence each")
        return dict(zip(languages, texts, strict=True))
    return dict(value)


KNOWN: list[tuple[set[str], Adapter]] = [
    ({"iso_639_3", "iso_15924", "text"}, _flores_plus),
    ({"flores_passage", "link", "question_number"}, _belebele),
    ({"context", "question", "answers"}, _xquad),
    ({"translation"}, _translation),
]
"""The columns that identify a data set -> the function that rewrites its rows."""
