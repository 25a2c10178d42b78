"""Language line by line, over an open set."""

import pytest

from tl_experts.errors import TLExpertsError
from tl_experts.steering.writing import language
from tl_experts.steering.writing.language import base_code, identify_lines, in_language, text_language

GERMAN = "Das Fenster steht seit gestern Abend weit offen."
SPANISH = "La ventana está abierta desde ayer por la tarde."


def test_a_text_is_in_the_language_of_most_of_its_characters():
    assert text_language(GERMAN) == "de"
    assert text_language(f"{SPANISH}\n{GERMAN} {GERMAN}") == "de"
    assert text_language(f"{SPANISH} {SPANISH}\n{GERMAN}") == "es"
    # A language outside of any corpus here, not the nearest of a closed set.
    assert text_language("Ikkunat ovat olleet auki eilisillasta lähtien.") == "fi"


@pytest.mark.parametrize("text", ["", "\n \n", "? ? ? ?", "...", "—"])
def test_a_text_without_letters_is_unknown(text):
    assert text_language(text) == "unknown"
    assert identify_lines(text) == ()


@pytest.mark.parametrize(("confidence", "expected"), [(0.3, "unknown"), (0.31, "de")])
def test_a_line_needs_more_than_the_threshold(monkeypatch, confidence, expected):
    monkeypatch.setattr(language, "identify", lambda _: ("de", confidence))
    [line] = identify_lines("abc")
    assert (line.text, line.language, line.confidence) == ("abc", expected, confidence)


def test_script_and_region_are_not_compared():
    assert in_language([GERMAN, SPANISH], "de-AT").tolist() == [True, False]
    assert base_code("zh-Hant") == "zh"
    with pytest.raises(TLExpertsError):
        base_code("klingon")
