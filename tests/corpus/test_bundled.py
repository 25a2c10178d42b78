"""The bundled text is what its data card says."""

import json
import re
from collections import Counter

import pytest

from tl_experts import load_sentences
from tl_experts.corpus.bundled import data_folder
from tl_experts.errors import CorpusError

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


def extra(name):
    return [json.loads(line) for line in (data_folder() / "corpus" / name).read_text(encoding="utf-8").splitlines()]


def overlap(a, b, language):
    """Jaccard index of the words (Japanese and Chinese: of the characters)."""
    first, second = (
        set(text) if language in ("ja", "zh") else set(re.findall(r"\w+", text.casefold())) for text in (a, b)
    )
    return len(first & second) / len(first | second)


def test_paraphrases_have_fewer_words_in_common_than_their_hard_negatives():
    items = extra("paraphrases.jsonl")
    assert Counter(item["language"] for item in items) == dict.fromkeys(("en", "de", "fr", "es", "ja", "zh"), 60)
    texts = [item[part] for item in items for part in ("sentence", "paraphrase", "negative")]
    assert max(Counter(texts).values()) == 1
    for item in items:
        shared = [overlap(item["sentence"], item[part], item["language"]) for part in ("paraphrase", "negative")]
        assert shared[0] < shared[1], item["row"]
        assert shared[1] > 0.6, item["row"]


def test_prompts_are_open_beginnings_in_every_language():
    prompts = extra("prompts.jsonl")
    assert len(prompts) == 40
    assert Counter(prompt["domain"] for prompt in prompts) == {"general": 20, "computers": 20}
    for language in LANGUAGES:
        beginnings = [prompt[language] for prompt in prompts]
        assert len(set(beginnings)) == 40
        assert not any(re.search(r"[.!?。！？]$|\s$|^\s|[0-9]", beginning) for beginning in beginnings)


@pytest.mark.parametrize("language", LANGUAGES)
def test_running_text_has_ten_passages_and_about_two_thousand_words(language):
    text = (data_folder() / "corpus" / "text" / f"{language}.txt").read_text(encoding="utf-8")
    assert len(text.strip().split("\n\n")) == 10
    size = len(text) if language in ("ja", "zh") else len(text.split())
    low, high = {"ja": (4800, 5800), "zh": (3400, 4200)}.get(language, (1950, 2300))
    assert low <= size <= high
