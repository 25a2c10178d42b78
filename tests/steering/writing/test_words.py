"""Units and words of texts in several scripts."""

from tl_experts.steering.writing.words import units, words


def test_units_of_each_script():
    assert units("Ja, 2 Äpfel!") == ["Ja", ",", "2", "Äpfel", "!"]
    assert units("東京 is big") == ["東", "京", "is", "big"]
    assert units("ไทยa") == ["ไ", "ท", "ย", "a"]
    assert units("? ?") == ["?", "?"]
    assert units(" \n") == []


def test_words_are_letters_alone():
    assert words("Кошка, 3cats_and 猫") == ["Кошка", "cats", "and", "猫"]
