"""Prompts of a comparison: halves that do not overlap, aligned over languages, from the package or from files."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tl_experts.errors import CorpusError, StudyError, TLExpertsError
from tl_experts.steering.writing.prompts import load_prompts
from tl_experts.study.comparison.prompts import fingerprint_of_prompts, uses_chat, writing_prompts

QUESTIONS = {
    "en": ["What is rain?", "Why do cats sleep?", "Who baked this bread?", "Where is the harbour?", "How old is she?"],
    "es": ["¿Qué es la lluvia?", "¿Por qué duermen los gatos?", "¿Quién horneó este pan?", "¿Y el puerto?", "¿Edad?"],
    "de": [
        "Was ist Regen?",
        "Warum schlafen Katzen?",
        "Wer hat gebacken?",
        "Wo ist der Hafen?",
        "Wie alt ist sie?",
    ],
}


@pytest.fixture
def folder(tmp_path):
    """The layout of CLaS-Bench: a text file per language, a question a line."""
    for language, questions in QUESTIONS.items():
        (tmp_path / f"{language}.txt").write_text("\n".join(questions) + "\n", "utf-8")
    return tmp_path


def test_bundled_prompts_are_split_in_two_halves(compare_config):
    found = writing_prompts(compare_config, "es")
    assert [*found.tuning.search, *found.report] == load_prompts("en")
    assert [*found.tuning.natural, *found.own] == load_prompts("es")
    assert writing_prompts(compare_config, "en").report == load_prompts("de")[20:]


def test_questions_are_read_from_a_folder_of_text_files(compare_config, folder):
    found = writing_prompts(replace(compare_config, prompts=str(folder)), "es")
    assert list(found.tuning.search) == QUESTIONS["en"][:2]
    assert list(found.tuning.natural) == QUESTIONS["es"][:2]
    assert (found.report, found.own) == (QUESTIONS["en"][2:], QUESTIONS["es"][2:])
    english = writing_prompts(replace(compare_config, prompts=str(folder)), "en")
    assert (english.report, english.own) == (QUESTIONS["de"][2:], QUESTIONS["en"][2:])


def test_a_table_with_a_column_per_language_is_read(compare_config, tmp_path):
    path = tmp_path / "prompts.csv"
    path.write_text("en,es\nWhat is rain?,¿Qué es la lluvia?\nWho is she?,¿Quién es ella?\n", "utf-8")
    assert writing_prompts(replace(compare_config, prompts=str(path)), "es").own == ["¿Quién es ella?"]


def test_other_prompts_have_another_fingerprint(compare_config, folder):
    first = fingerprint_of_prompts(replace(compare_config, prompts=str(folder)))
    (folder / "es.txt").write_text("\n".join(QUESTIONS["es"][::-1]), "utf-8")
    assert fingerprint_of_prompts(replace(compare_config, prompts=str(folder))) != first


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({}, CorpusError, "named like a language"),
        ({"en": "What is rain?\nWhy?"}, CorpusError, "es"),
        ({"en": "What is rain?\nWhy?", "es": "¿Por qué?"}, CorpusError, "unequal|lines"),
        ({"en": "Why?", "es": "¿Por qué?"}, StudyError, "one row in en and es; give at least two"),
        ({"en": "Why?\nWhy?", "es": "¿Por qué?\n¿Y eso?"}, TLExpertsError, None),
    ],
)
def test_files_that_cannot_serve_raise_an_error(compare_config, tmp_path, files, error, message):
    for language, text in files.items():
        (tmp_path / f"{language}.txt").write_text(text, "utf-8")
    config = replace(compare_config, prompts=str(tmp_path))
    if message is None:  # one prompt in both halves: a setting may not be reported where it was chosen
        with pytest.raises(error, match="both to search and to report"):
            writing_prompts(config, "es")
    else:
        with pytest.raises(error, match=message):
            writing_prompts(config, "es")


def test_a_path_that_does_not_exist_is_named(compare_config):
    with pytest.raises(StudyError, match=r"prompts is 'nowhere'.*en\.txt"):
        writing_prompts(replace(compare_config, prompts="nowhere"), "es")


@pytest.mark.parametrize(
    ("chat", "prompts", "template", "expected"),
    [
        ("auto", "questions", "{{ messages }}", True),
        ("auto", "questions", None, False),
        ("auto", "bundled", "{{ messages }}", False),  # beginnings of sentences are continued
        ("always", "bundled", "{{ messages }}", True),
        ("never", "questions", "{{ messages }}", False),
    ],
)
def test_questions_are_turns_of_a_user_where_the_tokenizer_has_a_template(
    compare_config, chat, prompts, template, expected
):
    model = SimpleNamespace(tokenizer=SimpleNamespace(chat_template=template))
    assert uses_chat(replace(compare_config, chat=chat, prompts=prompts), model) is expected
