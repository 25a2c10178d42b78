"""Pass rates against texts worked by hand, after the definitions of the Language Confusion benchmark."""

import pytest

from tl_experts.steering.writing.passes import pass_rates

GERMAN = "Das Fenster steht seit gestern Abend weit offen."
ENGLISH = "The window has been open since yesterday evening."
RUSSIAN = "Окно открыто со вчерашнего вечера, и в комнате холодно."


def test_lines_of_fewer_than_five_tokens_are_left_out():
    texts = [
        f"{GERMAN}\nYes, of course!",  # passes: its English line has three tokens
        f"{GERMAN}\n{ENGLISH}",  # fails by one of two lines
        "Nein.",  # not judged: no line is left
        GERMAN,
    ]
    found = pass_rates(texts, "de")
    assert found.lines == pytest.approx(2 / 3)
    assert found.right_lines == pytest.approx((1 + 0.5 + 1) / 3)
    assert found.words is None  # in Latin script


def test_words_are_counted_among_the_texts_that_pass_by_line():
    texts = [
        RUSSIAN,
        f"{RUSSIAN[:-1]} window.",  # passes by line, has an English word
        f"{RUSSIAN[:-1]} Window.",  # a name: not in lower case
        f"{RUSSIAN[:-1]} cat.",  # too short
        ENGLISH,  # fails by line
    ]
    found = pass_rates(texts, "ru")
    assert found.lines == pytest.approx(4 / 5)
    assert found.words == pytest.approx(3 / 4)
    assert pass_rates(texts, "ru", english_words={"house"}).words == 1


def test_tokens_of_chinese_and_japanese_are_two_characters():
    japanese = "窓は昨日の夜から開いている。"  # 13 characters without punctuation
    assert pass_rates([japanese], "ja").lines == 1
    assert pass_rates(["窓が開いている。"], "ja").lines is None  # 7 characters: three tokens


def test_without_a_text_to_judge_there_is_no_rate():
    found = pass_rates(["", "?"], "ja")
    assert (found.lines, found.words, found.right_lines) == (None, None, None)
