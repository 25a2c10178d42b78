"""The laws of `Corpus`."""

import dataclasses
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.messages import says
from tl_experts.corpus.sentences import Corpus, concatenate
from tl_experts.errors import CorpusError

fast = settings(max_examples=50)
sentence = st.text(min_size=1, max_size=20).filter(str.strip)
language = st.sampled_from(["en", "de", "ru", "ja", "zh-Hant"])


@st.composite
def entries(draw: st.DrawFn) -> list[tuple[str, str, str | None]]:
    """Label, text and row of any corpus: some sentences aligned, some not, languages mixed."""
    labels = draw(st.lists(language, min_size=1, max_size=15))
    used: Counter[str] = Counter()
    rows = []
    for label in labels:
        used[label] += 1
        rows.append(draw(st.sampled_from([str(used[label]), None])))
    return [(label, draw(sentence), row) for label, row in zip(labels, rows, strict=True)]


def made(drawn: list[tuple[str, str, str | None]]) -> Corpus:
    labels, texts, rows = zip(*drawn, strict=True)
    return Corpus(texts=texts, labels=labels, rows=rows, name="drawn")


def content(corpus: Corpus) -> list[tuple[str, str, str | None]]:
    return list(zip(corpus.labels, corpus.texts, corpus.rows, strict=True))


def test_labels_of_a_corpus_are_normalised() -> None:
    corpus = Corpus(texts=("a", "b", "c"), labels=("eng_Latn", "eng_Latn", "zho_Hant"))
    assert corpus.labels == ("en", "en", "zh-Hant")
    assert corpus.rows == (None, None, None)
    with pytest.raises(CorpusError, match=says("'klingonish'", "expected a BCP-47 code")):
        Corpus(texts=("a",), labels=("klingonish",))


def test_a_corpus_is_frozen(corpus: Corpus) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        corpus.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("labels", "rows", "counted"),
    [
        (("en",), (), "2 texts, 1 labels and 2 row ids"),
        (("en", "de", "en"), (), "2 texts, 3 labels and 2 row ids"),
        (("en", "de"), ("0",), "2 texts, 2 labels and 1 row ids"),
    ],
)
def test_every_text_has_one_label_and_one_row(labels: tuple, rows: tuple, counted: str) -> None:
    assert len(Corpus(texts=("a", "b"), labels=("en", "de"), rows=("0", "0"))) == 2
    with pytest.raises(CorpusError, match=says("small", counted, "one label (and one row id, if any) per text")):
        Corpus(texts=("a", "b"), labels=labels, rows=rows, name="small")


@pytest.mark.parametrize("blank", ["", " ", "\n", "\t \u3000", "\xa0"])
def test_an_empty_sentence_is_refused_by_its_place(blank: str) -> None:
    assert Corpus(texts=("a", blank + "b"), labels=("en", "de")).texts[1] == blank + "b"
    with pytest.raises(CorpusError, match=says("small", "sentence 1 (de, row 7)", repr(blank), "remove it or fill")):
        Corpus(texts=("a", blank), labels=("en", "de"), rows=("7", "7"), name="small")


def test_half_a_surrogate_pair_is_no_text() -> None:
    assert len(Corpus(texts=("\U0001f600",), labels=("en",)).fingerprint) == 16
    with pytest.raises(CorpusError, match=says("sentence 0", r"\ud83d")):
        Corpus(texts=("\ud83d",), labels=("en",))


def test_a_corpus_has_a_sentence() -> None:
    assert len(Corpus(texts=("a",), labels=("en",))) == 1
    for make in (lambda: Corpus(texts=(), labels=()), lambda: Corpus.from_texts({}), lambda: concatenate([], name="x")):
        with pytest.raises(CorpusError, match="no sentence at all; expected at least one"):
            make()


def test_a_language_has_a_row_once() -> None:
    assert Corpus(texts=("a", "b"), labels=("en", "de"), rows=("7", "7")).rows == ("7", "7")
    assert Corpus(texts=("a", "b"), labels=("en", "en"), rows=(None, None)).rows == (None, None)
    with pytest.raises(CorpusError, match=says("row '7' has 'en' twice", "must be unique")):
        Corpus(texts=("a", "b"), labels=("eng_Latn", "eng_Latn"), rows=("7", "7"))


def test_from_texts_takes_languages_in_order() -> None:
    corpus = Corpus.from_texts({"eng_Latn": ["a", "b"], "de": ["c"]}, name="mine")
    assert content(corpus) == [("en", "a", None), ("en", "b", None), ("de", "c", None)]
    assert corpus.languages == ("en", "de")
    assert corpus.counts == {"en": 2, "de": 1}
    assert len(corpus) == 3
    assert list(corpus) == [("en", "a"), ("en", "b"), ("de", "c")]
    assert repr(corpus) == "Corpus(mine, 3 sentences; en: 2, de: 1)"


def test_aligned_texts_share_rows() -> None:
    corpus = Corpus.from_texts({"en": ["a", "b"], "de": ["c", "d"]}, aligned=True)
    assert content(corpus) == [("en", "a", "0"), ("en", "b", "1"), ("de", "c", "0"), ("de", "d", "1")]


def test_aligned_texts_have_rows_of_equal_length() -> None:
    unequal = {"en": ["a", "b"], "de": ["c"]}
    assert len(Corpus.from_texts(unequal)) == 3
    with pytest.raises(CorpusError, match=says("mine", "'en': 2", "'de': 1", "one sentence per row")):
        Corpus.from_texts(unequal, aligned=True, name="mine")


def test_a_language_without_a_sentence_is_refused() -> None:
    with pytest.raises(CorpusError, match=says("mine", "language 'de' has no sentence", "add some or leave it out")):
        Corpus.from_texts({"en": ["a"], "de": []}, name="mine")


def test_a_bare_string_is_no_list_of_sentences() -> None:
    with pytest.raises(CorpusError, match=says("'en' is one string", "expected a list of sentences")):
        Corpus.from_texts({"en": "Good morning."})


# Selecting


@fast
@given(entries())
def test_a_language_is_selected_in_corpus_order(drawn: list) -> None:
    corpus = made(drawn)
    for code in corpus.languages:
        assert content(corpus[code]) == [entry for entry in content(corpus) if entry[0] == code]


@fast
@given(entries())
def test_the_languages_partition_the_corpus(drawn: list) -> None:
    corpus = made(drawn)
    parts = [corpus[code] for code in corpus.languages]
    assert sum(map(len, parts)) == len(corpus)
    assert Counter(content(concatenate(parts, name="joined"))) == Counter(content(corpus))
    assert corpus.counts == {code: len(part) for code, part in zip(corpus.languages, parts, strict=True)}


def test_a_language_that_is_not_there_is_refused(corpus: Corpus) -> None:
    assert corpus["deu_Latn"].languages == ("de",)
    with pytest.raises(CorpusError, match=says("fixture", "'fr' has no sentence", "'en', 'de', 'ru', 'ja'")):
        corpus["fr"]


def test_only_keeps_the_asked_languages_in_the_asked_order(corpus: Corpus) -> None:
    some = corpus.only(["ja", "eng_Latn", "en"])
    assert some.languages == ("ja", "en")
    assert some.counts == {"ja": 6, "en": 6}
    assert some.name == "fixture"
    with pytest.raises(CorpusError, match=says("language 'fr' has no sentence", "choose one of")):
        corpus.only(["en", "fr"])
    with pytest.raises(CorpusError, match=says("no language was asked for", "'en', 'de', 'ru', 'ja'")):
        corpus.only([])


@fast
@given(entries(), st.data())
def test_take_gives_the_sentences_asked_for_in_their_order(drawn: list, data: st.DataObject) -> None:
    corpus = made(drawn)
    indices = data.draw(st.lists(st.integers(0, len(corpus) - 1), min_size=1, unique=True))
    assert content(corpus.take(indices)) == [content(corpus)[i] for i in indices]


def test_take_of_nothing_is_refused(corpus: Corpus) -> None:
    with pytest.raises(CorpusError, match="fixture: no sentence at all"):
        corpus.take([])


@fast
@given(entries(), st.integers(1, 6))
def test_head_is_the_first_sentences_of_every_language(drawn: list, n: int) -> None:
    corpus = made(drawn)
    head = corpus.head(n)
    assert head.languages == corpus.languages
    for code in corpus.languages:
        assert content(head[code]) == content(corpus[code])[:n]


@fast
@given(entries(), st.integers(1, 6), st.integers(0, 1000))
def test_sample_draws_without_replacement_and_keeps_the_order(drawn: list, n: int, seed: int) -> None:
    corpus = made(drawn)
    sample = corpus.sample(n, seed=seed)
    assert sample.counts == {code: min(n, count) for code, count in corpus.counts.items()}
    remaining = iter(content(corpus))
    assert all(entry in remaining for entry in content(sample)), "no subsequence of the corpus"
    assert sample == corpus.sample(n, seed=seed)


def test_sample_draws_every_sentence_equally_often(corpus: Corpus) -> None:
    drawn = Counter(text for seed in range(300) for text in corpus.sample(2, seed=seed).texts)
    assert set(drawn) == set(corpus.texts)
    # 300 draws with probability 1/3: 100 expected, standard deviation 8.2.
    assert all(60 < count < 140 for count in drawn.values())


@pytest.mark.parametrize("n", [0, -1])
def test_at_least_one_sentence_per_language_is_asked_for(corpus: Corpus, n: int) -> None:
    assert corpus.head(1).counts == corpus.sample(1, seed=0).counts == {"en": 1, "de": 1, "ru": 1, "ja": 1}
    with pytest.raises(CorpusError, match=f"per_language is {n}; expected at least 1"):
        corpus.head(n)
    with pytest.raises(CorpusError, match=f"per_language is {n}; expected at least 1"):
        corpus.sample(n, seed=0)


# Alignment


@fast
@given(entries())
def test_parallel_indices_are_translations_position_by_position(drawn: list) -> None:
    corpus = made(drawn)
    rows = {code: {row for label, _, row in content(corpus) if label == code and row} for code in corpus.languages}
    complete = set.intersection(*rows.values())
    if not complete:
        with pytest.raises(CorpusError, match="no row has a sentence in all of"):
            corpus.parallel()
        return
    parallel = corpus.parallel()
    assert tuple(parallel) == corpus.languages
    for code, indices in parallel.items():
        assert {corpus.labels[i] for i in indices} == {code}
        assert [corpus.rows[i] for i in indices] == [corpus.rows[i] for i in parallel[corpus.languages[0]]]
        assert {corpus.rows[i] for i in indices} == complete
        assert len(indices) == len(complete)


def test_parallel_leaves_out_rows_without_one_of_the_asked_languages() -> None:
    corpus = Corpus(
        texts=("a0", "b0", "a1", "c1", "b2", "a2"),
        labels=("en", "de", "en", "fr", "de", "en"),
        rows=("0", "0", "1", "1", "2", "2"),
    )
    assert corpus.parallel(["en", "de"]) == {"en": [0, 5], "de": [1, 4]}
    assert corpus.parallel(["fra_Latn", "en"]) == {"fr": [3], "en": [2]}
    with pytest.raises(CorpusError, match=says("no row has a sentence in all of de, fr", "one row id shared")):
        corpus.parallel(["de", "fr"])
    with pytest.raises(CorpusError, match="in all of en, ja"):
        corpus.parallel(["en", "ja"])


def test_a_language_asked_for_twice_is_asked_for_once(corpus: Corpus) -> None:
    assert corpus.parallel(["en", "eng_Latn", "de"]) == corpus.parallel(["en", "de"])


def test_text_that_is_not_aligned_has_nothing_parallel() -> None:
    texts = {"en": ["a"], "de": ["b"]}
    assert Corpus.from_texts(texts, aligned=True).parallel() == {"en": [0], "de": [1]}
    with pytest.raises(CorpusError, match=says("mine", "all of en, de", "aligned text is needed")):
        Corpus.from_texts(texts, name="mine").parallel()


# Splits, joining, identity


def test_splits_share_no_sentence() -> None:
    dev = Corpus.from_texts({"en": ["a", "b"], "de": ["c"]}, name="dev")
    dev.require_disjoint(Corpus.from_texts({"en": ["d"], "de": ["e"]}, name="test"))
    dev.require_disjoint(Corpus.from_texts({"de": ["a"]}, name="test"))  # the same words in another language
    shared = Corpus.from_texts({"en": ["d", "b", "a"]}, name="test")
    with pytest.raises(CorpusError, match=says("dev and test share 2", "('en', 'b')", "in one split only")):
        dev.require_disjoint(shared)


@fast
@given(entries())
def test_a_corpus_is_never_disjoint_from_itself(drawn: list) -> None:
    corpus = made(drawn)
    with pytest.raises(CorpusError, match=f"share {len(corpus)} sentence"):
        corpus.require_disjoint(corpus)


def test_joined_corpora_keep_their_order_and_their_rows_apart() -> None:
    first = Corpus.from_texts({"en": ["a"]}, aligned=True)
    joined = concatenate([first, Corpus.from_texts({"de": ["b"]}, aligned=True)], name="both")
    assert content(joined) == [("en", "a", "0"), ("de", "b", "0")]
    assert joined.name == "both"
    with pytest.raises(CorpusError, match="both: row '0' has 'en' twice"):
        concatenate([first, Corpus.from_texts({"en": ["b"]}, aligned=True)], name="both")


@fast
@given(entries(), entries())
def test_the_fingerprint_is_that_of_the_content(first: list, second: list) -> None:
    one, other = made(first), made(second)
    assert re.fullmatch("[0-9a-f]{16}", one.fingerprint)
    assert one.fingerprint == dataclasses.replace(one, name="renamed").fingerprint
    assert (one.fingerprint == other.fingerprint) == (content(one) == content(other))


@pytest.mark.parametrize(
    "changed",
    [
        Corpus(texts=("b", "a"), labels=("en", "de"), rows=("0", "0")),
        Corpus(texts=("a", "b"), labels=("de", "en"), rows=("0", "0")),
        Corpus(texts=("a", "b"), labels=("en", "de"), rows=("0", "1")),
        Corpus(texts=("a", "b"), labels=("en", "de")),
        Corpus(texts=("a",), labels=("en",), rows=("0",)),
    ],
)
def test_any_change_of_content_changes_the_fingerprint(changed: Corpus) -> None:
    reference = Corpus(texts=("a", "b"), labels=("en", "de"), rows=("0", "0"))
    assert changed.fingerprint != reference.fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Corpus(("a",), ("en",), (None,)), Corpus(("a",), ("en",), ("None",))),
        (Corpus(("a", "b"), ("en", "de")), Corpus(("a\x1ede\x1fNone\x1fb",), ("en",))),
        (Corpus(("b",), ("en",), ("0\x1fa",)), Corpus(("a\x1fb",), ("en",), ("0",))),
    ],
    ids=["row None and row 'None'", "a text with separators", "a row with separators"],
)
def test_no_two_corpora_are_taken_for_each_other(one: Corpus, other: Corpus) -> None:
    assert one.fingerprint != other.fingerprint
