"""The bundled text is what its data card says."""

import json
import re
from collections import Counter

import pytest

from tl_experts import load_sentences
from tl_experts.errors import CorpusError
from tl_experts.readers import data_folder

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "ru", "ja", "zh")
ROWS = {"dev": 240, "test": 200}
HALF_WIDTH = re.compile(r"[぀-ヿ一-鿿][,.!?;:()]|[,.!?;:()][぀-ヿ一-鿿]")


def rows(split):
    lines = (data_folder() / "corpus" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("split", ROWS)
def test_every_row_has_every_language_and_no_sentence_occurs_twice(split):
    corpus = load_sentences("bundled", split=split)
    assert corpus.counts == dict.fromkeys(LANGUAGES, ROWS[split])
    assert {len(indices) for indices in corpus.parallel().values()} == {ROWS[split]}
    assert max(Counter(corpus.texts).values()) == 1


@pytest.mark.parametrize("split", ROWS)
def test_half_of_the_rows_are_general_and_half_on_computers_also_in_every_head(split):
    domains = [row["domain"] for row in rows(split)]
    assert Counter(domains) == {"general": ROWS[split] / 2, "computers": ROWS[split] / 2}
    assert Counter(domains[:20]) == {"general": 10, "computers": 10}


def test_the_splits_share_nothing():
    dev, test = (load_sentences("bundled", split=split) for split in ROWS)
    dev.require_disjoint(test)
    with pytest.raises(CorpusError, match="share 2160 sentence"):
        dev.require_disjoint(dev)


def test_a_split_must_be_named():
    with pytest.raises(CorpusError, match=r"'dev'.*'test'"):
        load_sentences("bundled")
    with pytest.raises(CorpusError, match="split 'train'"):
        load_sentences("bundled", split="train")
    assert len(load_sentences("bundled", split="dev", limit=3)) == 27


@pytest.mark.parametrize("split", ROWS)
def test_numbers_in_digits_are_the_same_in_every_language_of_a_row(split):
    for row in rows(split):
        assert len({tuple(sorted(re.findall(r"[0-9]+", row[language]))) for language in LANGUAGES}) == 1, row["row"]


@pytest.mark.parametrize("split", ROWS)
def test_each_language_keeps_its_own_typography(split):
    for row in rows(split):
        for language in LANGUAGES:
            text = row[language]
            assert text == text.strip(), row["row"]
            assert '"' not in text, (row["row"], language)
            assert "  " not in text, (row["row"], language)
        for language in ("ja", "zh"):
            assert not HALF_WIDTH.search(row[language]), (row["row"], language)
        assert not re.search(r"[A-Za-zÀ-ÿ][!?;»]|«[A-Za-zÀ-ÿ]", row["fr"]), row["row"]  # narrow spaces stand between
        assert not re.search(r"[぀-ヿ一-鿿]", "".join(row[code] for code in LANGUAGES[:7])), row["row"]
        assert re.search(r"[а-яё]", row["ru"]), row["row"]


@pytest.mark.parametrize("split", ROWS)
def test_english_rows_have_the_lengths_the_card_gives(split):
    lengths = [len(row["en"].split()) for row in rows(split)]
    assert min(lengths) >= 5
    assert max(lengths) <= 42
    assert 12 < sum(lengths) / len(lengths) < 25
