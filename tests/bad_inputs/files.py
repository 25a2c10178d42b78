"""Files of sentences."""

from pathlib import Path
from typing import Any

from tests.bad_inputs import Row
from tl_experts import (
    load_sentences,
)
from tl_experts.corpus.pairs import load_pairs, load_paraphrases

FILES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "empty.jsonl": ("", ("no rows",)),
    "blank.jsonl": ("\n\n", ("no rows",)),
    "list.jsonl": ("[1, 2]\n", ("line", "expected an object")),
    "number.jsonl": ("5\n", ("expected an object",)),
    "broken.jsonl": ('{"text": "a", "language"\n', ("is not JSON",)),
    "torn.jsonl": ('{"text": "a", "language": "en"}\n{"text": "b", "lang', ("line", "is not JSON")),
    "latin.jsonl": ('{"text": "ä", "language": "de"}'.encode("latin-1"), ("not UTF-8", "0xe4", "iconv")),
    "binary.jsonl": (bytes(range(128, 256)), ("not UTF-8",)),
    "nolanguage.jsonl": ('{"text": "a"}\n', ("language",)),
    "nocolumn.jsonl": ('{"words": "a", "tongue": "en"}\n', ("text_column", "language_column")),
    "holes.jsonl": ('{"text": "a", "language": "en"}\n{"text": null, "language": "de"}\n', ("row 1",)),
    "nested.jsonl": ('{"text": ["a"], "language": "en"}\n', ("expected a sentence",)),
    "emptytext.jsonl": ('{"text": "", "language": "en"}\n', ("is empty",)),
    "code.jsonl": ('{"text": "a", "language": "klingon"}\n', ("klingon",)),
    "surrogate.jsonl": ('{"text": "\\ud800", "language": "en"}\n', ("surrogate",)),
    "widehole.jsonl": ('{"en": "a", "de": "b"}\n{"en": "c"}\n', ("row 1", "de")),
    "wideempty.jsonl": ('{"en": "a", "de": ""}\n', ("empty in de",)),
    "twice.jsonl": (
        '{"row": 1, "text": "a", "language": "en"}\n{"row": 1, "text": "b", "language": "en"}\n',
        ("twice",),
    ),
    "one.jsonl": ('{"text": "a", "language": "en"}\n', ("expected at least 2",)),
    "empty.csv": ("", ("empty.csv",)),
    "header.csv": ("text,language\n", ("no rows",)),
    "twice.csv": ("en,en\na,b\n", ("'en' twice",)),
    "long.csv": ("en,de\na,b,c\n", ("3 cells for 2 columns", "quote or mend")),
    "latin.csv": ("en,de\na,ä\n".encode("latin-1"), ("not UTF-8",)),
    "unknown.csv": ("eins,zwei\na,b\n", ("text_column",)),
    "hole.csv": ("en,de\na,\n", ("empty in de",)),
    "code.csv": ("text,language\na,en\nb,klingon\n", ("klingon",)),
    "nul.csv": (b"en,de\na\x00,\n", ("nul.csv",)),
    "empty.tsv": ("", ("empty.tsv",)),
    "long.tsv": ("en\tde\na\tb\tc\n", ("3 cells",)),
    "commas.tsv": ("en,de\na,b\n", ("text_column",)),
    "twice.tsv": ("de\tde\na\tb\n", ("twice",)),
    "hole.tsv": ("en\tde\n\tb\n", ("empty in en",)),
    "empty.parquet": (b"", ("cannot be read as parquet",)),
    "text.parquet": ("en,de\n", ("cannot be read as parquet",)),
    "magic.parquet": (b"PAR1" + bytes(40) + b"PAR1", ("cannot be read as parquet",)),
    "words.docx": ("a", ("cannot tell what this is",)),
    "words.json": ("{}", ("cannot tell what this is",)),
    "words.txt": ("a", ("words.txt",)),
}


def read(m: Any, name: str, content: str | bytes) -> object:
    path = m.folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    m.ignored.add(path)
    return load_sentences(path)


def folder_of(m: Any, **files: str) -> Path:
    place = m.folder / "given"
    place.mkdir()
    m.ignored.add(place)
    for name, content in files.items():
        path = place / name.replace("__", ".")
        path.write_text(content)
        m.ignored.add(path)
    return place


READERS: list[Row] = [
    *((f"file {name}", lambda m, n=name, c=content: read(m, n, c), words) for name, (content, words) in FILES.items()),
    ("folder without files", lambda m: load_sentences(folder_of(m)), ("no file named like a language",)),
    (
        "folder of other files",
        lambda m: load_sentences(folder_of(m, notes__txt="a")),
        ("no file named like a language",),
    ),
    ("folder with an empty file", lambda m: load_sentences(folder_of(m, en__txt="", de__txt="a")), ("en",)),
    (
        "folder with an empty line",
        lambda m: load_sentences(folder_of(m, en__txt="a\n\nb\n", de__txt="a")),
        ("line 2 is empty",),
    ),
    (
        "folder of unequal files",
        lambda m: load_sentences(folder_of(m, en__txt="a\nb\n", de__txt="a"), aligned=True),
        ("unequal",),
    ),
    ("folder of one language", lambda m: load_sentences(folder_of(m, en__txt="a")), ("expected at least 2",)),
    (
        "folder with a split",
        lambda m: load_sentences(folder_of(m, en__txt="a", de__txt="b"), split="dev"),
        ("no splits",),
    ),
    ("paraphrases nowhere", lambda _: load_paraphrases("nowhere"), ("nowhere",)),
    ("paraphrases of an empty folder", lambda m: load_paraphrases(folder_of(m)), ("holds no paraphrases",)),
    ("paraphrases of lists", lambda m: load_paraphrases(folder_of(m, a__jsonl="[1]\n") / "a.jsonl"), ("line",)),
    (
        "paraphrases without one",
        lambda m: load_paraphrases(folder_of(m, a__jsonl='{"language": "en"}\n') / "a.jsonl"),
        ("paraphrase",),
    ),
    ("pairs nowhere", lambda _: load_pairs("nowhere"), ("is no folder",)),
    ("pairs of an empty folder", lambda m: load_pairs(folder_of(m)), ("holds neither",)),
    ("half of tatoeba", lambda m: load_pairs(folder_of(m, **{"tatoeba__deu-eng__deu": "a\n"})), ("other half",)),
    ("pairs that are lists", lambda m: load_pairs(folder_of(m, **{"de-en__jsonl": "[]\n"})), ("de-en.jsonl",)),
    ("pairs without a side", lambda m: load_pairs(folder_of(m, **{"de-en__jsonl": '{"de": "a"}\n'})), ("'en'",)),
]
