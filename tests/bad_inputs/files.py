"""Files of sentences."""

import gzip
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
    "nolanguage.jsonl": ('{"text": "a"}\n', ("columns=Columns",)),
    "nocolumn.jsonl": ('{"words": "a", "tongue": "en"}\n', ("columns=Columns",)),
    "holes.jsonl": ('{"text": "a", "language": "en"}\n{"text": null, "language": "de"}\n', ("row 1",)),
    "nested.jsonl": ('{"text": ["a"], "language": "en"}\n', ("row 0", "['a']", "expected text")),
    "emptytext.jsonl": ('{"text": "", "language": "en"}\n', ("is empty",)),
    "code.jsonl": ('{"text": "a", "language": "klingon"}\n', ("klingon",)),
    "surrogate.jsonl": ('{"text": "\\ud800", "language": "en"}\n', ("surrogate",)),
    "widehole.jsonl": ('{"en": "a", "de": "b"}\n{"en": "c"}\n', ("row 1", "de")),
    "wideempty.jsonl": ('{"en": "a", "de": ""}\n', ("empty in de",)),
    "twice.jsonl": (
        '{"row": 1, "text": "a", "language": "en"}\n{"row": 1, "text": "b", "language": "en"}\n',
        ("twice", "Columns(row=False)"),
    ),
    "one.jsonl": ('{"text": "a", "language": "en"}\n', ("expected at least 2",)),
    "empty.csv": ("", ("empty.csv",)),
    "header.csv": ("text,language\n", ("no rows",)),
    "twice.csv": ("en,en\na,b\n", ("'en' twice",)),
    "long.csv": ("en,de\na,b,c\n", ("3 cells for 2 columns", "quote or correct")),
    "latin.csv": ("en,de\na,ä\n".encode("latin-1"), ("not UTF-8",)),
    "unknown.csv": ("eins,zwei\na,b\n", ("columns=Columns",)),
    "hole.csv": ("en,de\na,\n", ("empty in de",)),
    "code.csv": ("text,language\na,en\nb,klingon\n", ("klingon",)),
    "nul.csv": (b"en,de\na\x00,\n", ("nul.csv",)),
    "empty.tsv": ("", ("empty.tsv",)),
    "long.tsv": ("en\tde\na\tb\tc\n", ("3 cells",)),
    "commas.tsv": ("en,de\na,b\n", ("columns=Columns",)),
    "twice.tsv": ("de\tde\na\tb\n", ("twice",)),
    "hole.tsv": ("en\tde\n\tb\n", ("empty in en",)),
    "empty.parquet": (b"", ("cannot be read as parquet",)),
    "text.parquet": ("en,de\n", ("cannot be read as parquet",)),
    "magic.parquet": (b"PAR1" + bytes(40) + b"PAR1", ("cannot be read as parquet",)),
    "words.docx": ("a", ("cannot tell what this is",)),
    "words.json": ("{}", ("is not a table", "list of objects")),
    "broken.json": ('[{"en": "a"', ("cannot be read as json",)),
    "deep.json": ("[" * 100_000, ("nested too deeply",)),
    "unequal.json": ('{"en": ["a", "b"], "de": ["c"]}', ("unequal length", "'de': 1")),
    "squad.json": ('{"data": [{"paragraphs": [{"text": "a"}]}]}', ("SQuAD", "context")),
    "scalars.json": ("[1, 2]", ("is not a table",)),
    "scripts.jsonl": (
        '{"srp_Latn": "a", "sr-Latn": "b", "en": "c"}\n',
        ("'srp_Latn' and 'sr-Latn'", "both the language"),
    ),
    "labels.jsonl": (
        '{"text": "a", "language": "zh"}\n{"text": "b", "language": "cmn_Hans"}\n',
        ("'zh' and 'cmn_Hans'", "both the language 'zh'"),
    ),
    "list.csv.gz": (b"en,de", ("cannot be decompressed",)),
    "cut.jsonl.xz": (b"\xfd7zXZ\x00", ("cannot be decompressed",)),
    "cut.jsonl.zst": (b"\x28\xb5\x2f\xfd", ("cannot be decompressed",)),
    "number.jsonl.gz": (gzip.compress(b"5"), ("expected an object",)),
    "text.arrow": ("a", ("cannot be read as arrow",)),
    "cells.jsonl": ('{"en": "a", "de": ["b"]}\n', ("row 0", "'de'", "['b']", "expected text")),
    "lists.jsonl": ('{"en": "a", "de": ["b"]}\n{"en": "c", "de": ["d"]}\n', ("row 0", "'de'", "expected text")),
    "objects.jsonl": ('{"text": {"en": "a"}, "language": "en"}\n', ("row 0", "text", "expected text")),
    "booleans.jsonl": ('{"en": "a", "de": "b"}\n{"en": "c", "de": true}\n', ("row 1", "'de'", "True", "expected text")),
    "numbers.jsonl": (
        '{"text": "a", "language": "en"}\n{"text": 5, "language": "de"}\n',
        ("row 1", "5", "expected text"),
    ),
    "labelnumbers.jsonl": ('{"text": "a", "language": 3}\n', ("row 0", "3", "expected text")),
    "translation.jsonl": (
        '{"translation": {"en": "a", "de": "b"}}\n{"translation": "c"}\n',
        ("row 1", "'translation'"),
    ),
    "names.csv": ("English,Spanish\na,b\n", ("'English' is 'en'", "'Spanish' is 'es'")),
    "quoted.tsv": ('en\tde\n"He said ""yes""."\tb\n', ("seems to be quoted", "quoted=True", "quoted=False")),
    "lineend.tsv": ('en\tde\n"a\nb"\tc\n', ("seems to be quoted",)),
    "swallowed.csv": ('en,de\n"Oh, he said,b\nc,d\n', ("cannot be read as csv", "quoted=False")),
    "words.txt": ("a", ("words.txt",)),
}


def read(m: Any, name: str, content: str | bytes) -> object:
    path = m.folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    m.ignored.add(path)
    return load_sentences(path)


def folder_of(m: Any, **files: str) -> Path:
    folder = m.folder / "given"
    folder.mkdir()
    m.ignored.add(folder)
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_text(content)
        m.ignored.add(path)
    return folder


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
        ("line 2 is empty in en", "blanks='drop'"),
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
    (
        "folder of one language twice",
        lambda m: load_sentences(folder_of(m, zh__txt="a", zho_Hans__txt="b")),
        ("'zh' and 'zho_Hans'", "both the language"),
    ),
    (
        "folder named in full",
        lambda m: load_sentences(folder_of(m, Spanish__txt="a", English__txt="b")),
        ("Spanish.txt to es.txt", "English.txt to en.txt"),
    ),
    (
        "folder of two splits",
        lambda m: load_sentences(folder_of(m, eng_Latn__dev="a", deu_Latn__devtest="b")),
        ("splits dev, devtest",),
    ),
    (
        "flores of unequal files",
        lambda m: load_sentences(folder_of(m, eng_Latn__dev="a\nb", deu_Latn__dev="b")),
        ("unequal length",),
    ),
    (
        "half of a pair",
        lambda m: load_sentences(folder_of(m, **{"Tatoeba__en-es__en": "a\n"})),
        ("other half Tatoeba.en-es.es",),
    ),
    (
        "pairs of other languages",
        lambda m: load_sentences(folder_of(m, **{"es-en__es": "a", "es-en__en": "b"}), languages=["de", "en"]),
        ("'de' has no sentence",),
    ),
    ("a mistyped path", lambda m: load_sentences(f"{folder_of(m)}/flroes", split="dev"), ("flroes", "does not exist")),
    ("paraphrases nowhere", lambda _: load_paraphrases("nowhere"), ("nowhere",)),
    ("paraphrases of an empty folder", lambda m: load_paraphrases(folder_of(m)), ("holds no paraphrases",)),
    ("paraphrases of lists", lambda m: load_paraphrases(folder_of(m, a__jsonl="[1]\n") / "a.jsonl"), ("line",)),
    (
        "paraphrases without one",
        lambda m: load_paraphrases(folder_of(m, a__jsonl='{"language": "en"}\n') / "a.jsonl"),
        ("paraphrase",),
    ),
    ("pairs nowhere", lambda _: load_pairs("nowhere"), ("is not a folder",)),
    ("pairs of an empty folder", lambda m: load_pairs(folder_of(m)), ("holds none of",)),
    ("half of tatoeba", lambda m: load_pairs(folder_of(m, **{"tatoeba__deu-eng__deu": "a\n"})), ("other half",)),
    ("pairs that are lists", lambda m: load_pairs(folder_of(m, **{"de-en__jsonl": "[]\n"})), ("de-en.jsonl",)),
    (
        "pairs of numbers",
        lambda m: load_pairs(folder_of(m, **{"de-en__jsonl": '{"de": "a", "en": 5}\n'})),
        ("row 0", "'en'", "expected text"),
    ),
    (
        "pairs of blanks",
        lambda m: load_pairs(folder_of(m, **{"de-en__de": "a\n\n", "de-en__en": "b\nc\n"}), blanks="refuse"),
        ("line 2 is empty in de",),
    ),
    ("pairs with other blanks", lambda m: load_pairs(folder_of(m), blanks="skip"), ("blanks 'skip'", "'drop'")),
    ("pairs without a side", lambda m: load_pairs(folder_of(m, **{"de-en__jsonl": '{"de": "a"}\n'})), ("'en'",)),
]
