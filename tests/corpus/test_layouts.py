"""Each layout that data sets come in gives the right languages, sentences and rows; files are made here."""

import json
from pathlib import Path

import datasets
import pytest

from tests.corpus.sources import content, put
from tests.messages import says
from tl_experts import Columns, Corpus, load_sentences
from tl_experts.errors import CorpusError, TLExpertsWarning

ENGLISH, SPANISH = ("One.", "Two.", "Three."), ("Uno.", "Dos.", "Tres.")
ALIGNED = [
    *(("en", text, str(n)) for n, text in enumerate(ENGLISH)),
    *(("es", text, str(n)) for n, text in enumerate(SPANISH)),
]


def text(sentences: tuple[str, ...]) -> str:
    return "\n".join(sentences) + "\n"


def made(folder: Path, files: dict[str, str]) -> Path:
    for name, written in files.items():
        put(folder / name, written)
    return folder


def read(folder: Path, **options: object) -> list[tuple[str, str, str | None]]:
    return content(load_sentences(folder, languages=["en", "es"], **options))


PARALLEL = {
    "FLORES-200, one split": {"eng_Latn.dev": text(ENGLISH), "spa_Latn.dev": text(SPANISH)},
    "NTREX-128": {"newstest2019-src.eng.txt": text(ENGLISH), "newstest2019-ref.spa.txt": text(SPANISH)},
    "Tatoeba of LASER": {"tatoeba.spa-eng.spa": text(SPANISH), "tatoeba.spa-eng.eng": text(ENGLISH)},
    "Tatoeba of XTREME": {"es-en.es": text(SPANISH), "es-en.en": text(ENGLISH)},
    "OPUS, Moses": {"Tatoeba.en-es.en": text(ENGLISH), "Tatoeba.en-es.es": text(SPANISH), "README": "about"},
}


@pytest.mark.parametrize("files", PARALLEL.values(), ids=PARALLEL)
def test_a_parallel_layout_is_aligned_line_by_line(files: dict[str, str], tmp_path: Path) -> None:
    assert read(made(tmp_path, files)) == ALIGNED


@pytest.mark.parametrize("files", PARALLEL.values(), ids=PARALLEL)
def test_a_blank_in_a_parallel_layout_raises_or_drops_its_row(files: dict[str, str], tmp_path: Path) -> None:
    folder = made(tmp_path, {name: written.replace("Dos.", " ") for name, written in files.items()})
    with pytest.raises(CorpusError, match=says("line 2 is empty in", "1 of 3")):
        read(folder)
    with pytest.warns(TLExpertsWarning, match=says("dropped 1 of 3")):
        assert [row[1] for row in read(folder, blanks="drop")] == ["One.", "Three.", "Uno.", "Tres."]


@pytest.mark.parametrize("files", PARALLEL.values(), ids=PARALLEL)
def test_sides_of_unequal_length_raise(files: dict[str, str], tmp_path: Path) -> None:
    folder = made(tmp_path, {name: written.replace("Tres.\n", "") for name, written in files.items()})
    with pytest.raises(CorpusError, match="unequal length"):
        read(folder)


def test_flores_200_is_read_by_split(tmp_path: Path) -> None:
    folder = made(tmp_path, {f"dev/{name}": written for name, written in PARALLEL["FLORES-200, one split"].items()})
    made(folder, {"devtest/eng_Latn.devtest": "Four.\n", "devtest/spa_Latn.devtest": "Cuatro.\n"})
    assert content(load_sentences(folder, split="dev")) == ALIGNED
    assert load_sentences(folder, split="devtest").texts == ("Four.", "Cuatro.")
    assert content(load_sentences(folder / "dev")) == ALIGNED
    with pytest.raises(CorpusError, match=says("its folders are dev, devtest", "split=")):
        load_sentences(folder)


def test_two_scripts_of_a_language_stay_two_languages(tmp_path: Path) -> None:
    codes = ("srp_Cyrl", "srp_Latn", "hin_Deva", "hin_Latn", "cmn_Hans", "cmn_Hant", "fil_Latn", "ekk_Latn")
    corpus = load_sentences(made(tmp_path, {f"{code}.dev": f"{code}\n" for code in codes}))
    assert set(corpus.languages) == {"sr", "sr-Latn", "hi", "hi-Latn", "zh", "zh-Hant", "fil", "et"}
    assert corpus["sr-Latn"].texts == ("srp_Latn",)


def test_several_pairs_keep_their_rows_apart(tmp_path: Path) -> None:
    folder = made(tmp_path, PARALLEL["Tatoeba of LASER"])
    made(folder, {"tatoeba.deu-eng.deu": "Vier.\n", "tatoeba.deu-eng.eng": "Four.\n"})
    whole = load_sentences(folder)
    assert whole.counts == {"de": 1, "en": 4, "es": 3}
    assert whole["de"].rows == ("tatoeba.deu-eng:0",)
    assert {language: len(found) for language, found in whole.parallel(["en", "es"]).items()} == {"en": 3, "es": 3}
    # Only the pair of the two languages asked for.
    assert content(load_sentences(folder, languages=["en", "es"])) == ALIGNED
    assert load_sentences(folder, languages=["en"], min_languages=1).counts == {"en": 4}


def test_a_pair_without_its_other_half_raises(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=says("other half Tatoeba.en-es.es", "give both")):
        load_sentences(made(tmp_path, {"Tatoeba.en-es.en": "One.\n"}))


def test_belebele_gives_its_passages_once(tmp_path: Path) -> None:
    passages = {"eng_Latn": ("A passage.", "Another."), "spa_Latn": ("Un pasaje.", "Otro.")}
    rows = ((0, 1), (0, 2), (1, 1))  # two questions about the first passage, one about the second
    for code, texts in passages.items():
        lines = [
            {"link": f"wiki/{n}", "question_number": q, "flores_passage": texts[n], "question": "?", "dialect": code}
            for n, q in rows
        ]
        put(tmp_path / f"{code}.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    assert content(load_sentences(tmp_path)) == [
        ("en", "A passage.", "wiki/0"),
        ("en", "Another.", "wiki/1"),
        ("es", "Un pasaje.", "wiki/0"),
        ("es", "Otro.", "wiki/1"),
    ]
    questions = load_sentences(tmp_path, columns=Columns(text="question"))
    assert questions.counts == {"en": 3, "es": 3}


def test_flores_plus_is_aligned_by_its_ids(tmp_path: Path) -> None:
    for code, script, texts in (("eng", "Latn", ENGLISH), ("cmn", "Hans", ("一", "二", "三"))):
        rows = [
            {"id": n, "iso_639_3": code, "iso_15924": script, "glottocode": "x", "text": written, "url": "u"}
            for n, written in reversed(list(enumerate(texts)))
        ]
        put(tmp_path / "dev" / f"{code}_{script}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    corpus = load_sentences(tmp_path, split="dev")
    assert corpus.languages == ("zh", "en")
    parallel = {code: [corpus.texts[i] for i in indices] for code, indices in corpus.parallel().items()}
    assert parallel == {"zh": ["三", "二", "一"], "en": ["Three.", "Two.", "One."]}


def test_xquad_gives_its_paragraphs(tmp_path: Path) -> None:
    for code, texts in (("en", ENGLISH), ("es", SPANISH)):
        paragraphs = [{"context": written, "qas": []} for written in texts]
        put(tmp_path / f"xquad.{code}.json", json.dumps({"data": [{"title": "a", "paragraphs": paragraphs}]}))
    corpus = load_sentences(tmp_path)
    assert corpus.rows == ("0.0", "0.1", "0.2") * 2
    assert corpus.texts == ENGLISH + SPANISH


def test_pud_is_aligned_by_its_sentence_ids(tmp_path: Path) -> None:
    for folder, code, texts in (("UD_English-PUD", "en", ENGLISH), ("UD_Spanish-PUD", "es", SPANISH)):
        trees = "".join(f"# sent_id = n{n}\n# text = {written}\n1\t_\t_\n\n" for n, written in enumerate(texts))
        put(tmp_path / folder / f"{code}_pud-ud-test.conllu", trees)
    assert content(load_sentences(tmp_path)) == [(code, written, f"n{row}") for code, written, row in ALIGNED]


def test_a_treebank_that_is_not_parallel_is_not_aligned(tmp_path: Path) -> None:
    for code in ("en", "es"):
        put(tmp_path / f"{code}_gsd-ud-test.conllu", "# sent_id = s1\n# text = One.\n1\t_\n")
    assert load_sentences(tmp_path).rows == (None, None)


@pytest.mark.parametrize("dictionary", [True, False])
def test_a_saved_dataset_is_read(dictionary: bool, tmp_path: Path) -> None:
    rows = datasets.Dataset.from_list([{"en": "a", "es": "b"}])
    (datasets.DatasetDict({"dev": rows}) if dictionary else rows).save_to_disk(tmp_path / "saved")
    corpus = load_sentences(tmp_path / "saved", split="dev" if dictionary else None)
    assert content(corpus) == [("en", "a", "0"), ("es", "b", "0")]


def test_a_file_that_is_passed_over_is_named(tmp_path: Path) -> None:
    folder = made(tmp_path, {"en.txt": "a", "de.txt": "b", "notes.txt": "c", "README.md": "d"})
    with pytest.warns(TLExpertsWarning, match=says("not read", "notes.txt")) as caught:
        assert load_sentences(folder).languages == ("de", "en")
    assert "README" not in str(caught[0].message)


def test_one_table_per_language_is_read(tmp_path: Path) -> None:
    made(tmp_path, {"en.csv": "text\nOne.\nTwo.\n", "es.csv": "text\nUno.\nDos.\n"})
    assert isinstance(load_sentences(tmp_path), Corpus)
    assert set(load_sentences(tmp_path).rows) == {None}
    assert load_sentences(tmp_path, aligned=True).rows == ("0", "1", "0", "1")
    assert load_sentences(tmp_path, limit=1).texts == ("One.", "Uno.")
