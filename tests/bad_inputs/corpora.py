"""Language codes and corpora."""

import pandas as pd

from tests.bad_inputs import Row
from tl_experts import (
    Columns,
    Corpus,
    load_sentences,
)
from tl_experts.corpus.languages import language_code, script_of

CODES = ["", "e", "english please", "12", "??", "xx-", "klingon", "a b", "en_", "日本語"]
EMPTY = ["", " ", "\n\t", "\u3000"]

CORPORA: list[Row] = [
    *((f"code {code!r}", lambda _, c=code: language_code(c), (repr(code),)) for code in CODES),
    ("a script of no language", lambda _: script_of("no code"), ("'no code'", "not a language code")),
    *((f"from_texts code {code!r}", lambda _, c=code: Corpus.from_texts({c: ["a"]}), (repr(code),)) for code in CODES),
    *(
        (f"load languages {code!r}", lambda _, c=code: load_sentences(split="dev", languages=[c]), (c,))
        for c in ["klingon", "12"]
        for code in [c]
    ),
    *(
        (f"only {code!r}", lambda m, c=code: m.corpus.only([c]), (c,))
        for code in ["klingon", "fr", "12"]
        for c in [code]
    ),
    *((f"corpus[{code!r}]", lambda m, c=code: m.corpus[c], (code,)) for code in ["klingon", "fr", "ko"]),
    *(
        (f"empty text {text!r}", lambda _, t=text: Corpus.from_texts({"en": ["a", t]}), ("is empty", "remove it"))
        for text in EMPTY
    ),
    *(
        (f"no text {texts}", lambda _, t=texts: Corpus.from_texts(t), ("sentence",))
        for texts in [{}, {"en": []}, {"en": ["a"], "de": []}]
    ),
    ("a string for a list", lambda _: Corpus.from_texts({"en": "abc"}), ("one string", "a list of sentences")),
    ("a number for a text", lambda _: Corpus.from_texts({"en": [5]}), ("5", "not text", "remove it or fill it in")),
    ("None for a text", lambda _: Corpus.from_texts({"en": ["a", None]}), ("None",)),
    ("half a surrogate", lambda _: Corpus.from_texts({"en": ["a\ud800"]}), ("surrogate", "correct it")),
    ("unequal rows", lambda _: Corpus.from_texts({"en": ["a"], "de": ["b", "c"]}, aligned=True), ("unequal length",)),
    ("two labels of one language", lambda _: Corpus(("a", "b"), ("en", "eng")), ("'en' and 'eng'", "both")),
    ("two keys of one language", lambda _: Corpus.from_texts({"en": ["a"], "EN": ["b"]}), ("'en' and 'EN'", "both")),
    ("a label that is a number", lambda _: Corpus(("a",), (5,)), ("label 5", "language code")),
    ("a language in full", lambda m: m.corpus["Spanish"], ("'Spanish'", "did you mean 'es'?")),
    *(
        (f"a language by its other name {name!r}", lambda _, n=name: language_code(n), (repr(name), f"mean {code!r}?"))
        for name, code in [("Farsi", "fa"), ("Castilian", "es"), ("Brazilian Portuguese", "pt-BR"), ("Français", "fr")]
    ),
    ("a column that is a number", lambda _: Columns(text=5), ("text=5", "name of a column")),
    ("a column without a name", lambda _: Columns(row=""), ("row=''", "name of a column")),
    ("columns as a dictionary", lambda _: load_sentences([], columns={"text": "a"}), ("'text'", "Columns(")),
    ("blanks of another kind", lambda _: load_sentences([], blanks="skip"), ("blanks 'skip'", "'refuse'")),
    ("quoted of another kind", lambda _: load_sentences([], quoted="yes"), ("quoted is 'yes'", "True, False")),
    ("languages as a string", lambda _: load_sentences([], languages="en"), ("'en'", "a list of codes")),
    *(
        (f"confidence {c}", lambda m, c=c: m.corpus.mislabelled(confidence=c), (f"is {c}", "between 0 and 1"))
        for c in (-0.1, 2)
    ),
    ("labels too few", lambda _: Corpus(("a", "b"), ("en",)), ("2 texts, 1 labels",)),
    ("rows too few", lambda _: Corpus(("a", "b"), ("en", "de"), ("1",)), ("1 row ids",)),
    ("a row twice", lambda _: Corpus(("a", "b"), ("en", "en"), ("1", "1")), ("'1'", "twice")),
    ("only nothing", lambda m: m.corpus.only([]), ("no language was asked for",)),
    *((f"head {n}", lambda m, n=n: m.corpus.head(n), (f"is {n}", "at least 1")) for n in (0, -1)),
    *((f"sample {n}", lambda m, n=n: m.corpus.sample(n, seed=0), (f"is {n}", "at least 1")) for n in (0, -3)),
    (
        "parallel without rows",
        lambda _: Corpus.from_texts({"en": ["a"], "de": ["b"]}).parallel(),
        ("no row", "aligned"),
    ),
    ("shared splits", lambda m: m.corpus.require_disjoint(m.corpus), ("share 24 sentence", "one split only")),
    *(
        (f"split {split!r}", lambda _, s=split: load_sentences(split=s), (str(split) if split else "choose one",))
        for split in (None, "train", "DEV")
    ),
    *(
        (f"limit {n}", lambda _, n=n: load_sentences(split="dev", limit=n), (f"limit is {n}", "at least 1"))
        for n in (0, -5)
    ),
    (
        "one language",
        lambda _: load_sentences(split="dev", languages=["en"]),
        ("expected at least 2", "min_languages=1"),
    ),
    *(
        (f"source {kind}", lambda _, s=source: load_sentences(s), words)
        for kind, source, words in [
            ("a number", 5, ("int", "5")),
            ("none", None, ("NoneType",)),
            ("a list", ["a", "b"], ("list",)),
            ("a mapping of numbers", {"en": ["a"], "de": [5]}, ("'de'", "5", "expected text")),
            ("a mapping of one number", {"en": ["a"], "de": 5}, ("'de'", "expected sentences")),
            ("a mapping with a blank", {"en": ["a", " "], "de": ["b"]}, ("'en'", "sentence 1 is empty")),
            ("a mapping of unequal lists", {"en": ["a"], "de": []}, ("'de' has no sentence",)),
            ("pairs of three", [("en", "a"), ("de", "b", "c")], ("item 1", "expected a pair")),
            ("pairs of numbers", [("en", "a"), ("de", 5)], ("row 1", "5", "expected text")),
            ("pairs the wrong way round", [("a b", "en"), ("c d", "de")], ("'a b' is not a language code",)),
            ("rows of two kinds", [{"en": "a", "de": "b"}, "c"], ("row 1", "expected a mapping")),
            ("nothing", [], ("no rows",)),
            ("an empty mapping", {}, ("no sentence at all",)),
            ("bytes", b"a", ("bytes",)),
            ("a frame of numbers", pd.DataFrame({"en": [1], "de": [2]}), ("nor text", "columns=Columns")),
            ("a frame of lists", pd.DataFrame({"en": ["a"], "de": [["b"]]}), ("row 0", "'de'", "expected text")),
            ("a missing file", "nowhere.jsonl", ("nowhere.jsonl", "does not exist")),
            ("a name", "nowhere", ("'nowhere'", "does not exist")),
            ("a wrong suffix", "words.md", ("words.md", "does not exist")),
            ("a mapping of nothing", {"en": "nowhere.txt", "de": "nowhere.txt"}, ("nowhere.txt",)),
        ]
    ),
]
