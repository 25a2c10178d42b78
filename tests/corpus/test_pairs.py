"""Readers of pairs: each layout beside its broken neighbour."""

import json

import pytest

from tests.messages import says
from tl_experts.corpus.pairs import load_pairs, load_paraphrases
from tl_experts.errors import CorpusError, TLExpertsWarning


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


def test_the_bundled_paraphrases():
    found = load_paraphrases()
    assert set(found) == {"en", "de", "fr", "es", "ja", "zh"}
    for item in found.values():
        assert len(item.sentences) == len(item.paraphrases) == len(item.negatives) == 60


HEADER = "id\tsentence1\tsentence2\tlabel\n"


def test_pawsx_takes_positives_and_keeps_negatives_apart(tmp_path):
    rows = '1\tHe "left.\tHe went.\t1\n2\tA b.\tB a.\t0\n3\t\tX.\t1\n'
    write(tmp_path, {"en/test_2k.tsv": HEADER + rows, "en/dev_2k.tsv": HEADER, "de/test_2k.tsv": HEADER + rows})
    found = load_paraphrases(tmp_path)
    assert set(found) == {"en", "de"}
    assert found["en"].sentences == ('He "left.',)  # a lone quote is text
    assert found["en"].paraphrases == ("He went.",)
    assert found["en"].negatives == ("B a.",)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no paraphrases"),
        ({"en/readme.txt": "x"}, "has no .tsv file"),
        ({"en/test.tsv": "a\tb\n1\t2\n"}, "expected sentence1, sentence2, label"),
        ({"en/test.tsv": HEADER}, r"columns \[\]"),
        ({"en/test.tsv": HEADER + "1\ta\tb\t0\n"}, "0 sentences and 0 paraphrases"),
        ({"klingon/test.tsv": HEADER}, "not a language code"),
    ],
)
def test_a_folder_in_another_layout_than_pawsx_raises(tmp_path, files, message):
    with pytest.raises(CorpusError, match=message):
        load_paraphrases(write(tmp_path, files))


@pytest.mark.parametrize("line", ["{", "[]", '{"language": "en", "sentence": "a"}', '{"language": 3}'])
def test_a_bad_line_is_named(tmp_path, line):
    good = json.dumps({"language": "en", "sentence": "a", "paraphrase": "b"})
    write(tmp_path, {"p.jsonl": f"{good}\n{line}\n"})
    with pytest.raises(CorpusError, match="line 2"):
        load_paraphrases(tmp_path / "p.jsonl")


def test_a_listed_paraphrase_needs_no_negative(tmp_path):
    write(tmp_path, {"p.jsonl": json.dumps({"language": "en", "sentence": "a", "paraphrase": "b"})})
    assert load_paraphrases(tmp_path / "p.jsonl")["en"].negatives == ()


def test_tatoeba(tmp_path):
    write(tmp_path, {"tatoeba.deu-eng.deu": "eins\nzwei\n", "tatoeba.deu-eng.eng": "one\ntwo\n"})
    (pairs,) = load_pairs(tmp_path)
    assert (pairs.languages, pairs.first, pairs.second) == (("de", "en"), ("eins", "zwei"), ("one", "two"))
    assert pairs.corpus == "tatoeba"


def test_bucc_reads_the_gold_pairs(tmp_path):
    write(
        tmp_path,
        {
            "de-en.training.de": "de-1\teins\nde-2\tzwei\n",
            "de-en.training.en": "en-7\ttwo\nen-8\tnone\n",
            "de-en.training.gold": "de-2\ten-7\n",
        },
    )
    (pairs,) = load_pairs(tmp_path)
    assert (pairs.languages, pairs.first, pairs.second) == (("de", "en"), ("zwei",), ("two",))
    assert pairs.corpus == "bucc18"


def test_json_pairs(tmp_path):
    write(tmp_path, {"es-en.jsonl": '{"es": "uno", "en": "one"}\n'})
    (pairs,) = load_pairs(tmp_path)
    assert (pairs.languages, pairs.first, pairs.second) == (("es", "en"), ("uno",), ("one",))


@pytest.mark.parametrize(
    ("files", "languages"),
    [
        ({"es-en.es": "uno\n", "es-en.en": "one\n"}, ("es", "en")),
        ({"Tatoeba.en-es.en": "one\n", "Tatoeba.en-es.es": "uno\n"}, ("en", "es")),
        ({"wikimedia.en-pt_br.en": "one\n", "wikimedia.en-pt_br.pt_br": "um\n"}, ("en", "pt-BR")),
        ({"pt-BR-en.pt-BR": "um\n", "pt-BR-en.en": "one\n"}, ("pt-BR", "en")),
        ({"pt-BR-en.jsonl": '{"pt-BR": "um", "en": "one"}\n'}, ("pt-BR", "en")),
        ({"en-pt-BR.jsonl": '{"pt-BR": "um", "en": "one"}\n'}, ("en", "pt-BR")),
        ({"zh-Hant-en.jsonl": '{"zh-Hant": "一", "en": "one"}\n'}, ("zh-Hant", "en")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "-".join(value),
)
def test_the_languages_of_a_pair_are_those_of_its_files(tmp_path, files, languages):
    (pairs,) = load_pairs(write(tmp_path, files))
    assert pairs.languages == languages
    assert len(pairs.first) == len(pairs.second) == 1


SPANISH, ENGLISH = ["uno", "", "tres", "cuatro"], ["one", "two", "", "four"]


@pytest.mark.parametrize(
    "files",
    [
        {"tatoeba.spa-eng.spa": "\n".join(SPANISH) + "\n", "tatoeba.spa-eng.eng": "\n".join(ENGLISH) + "\n"},
        {
            "es-en.jsonl": "".join(
                json.dumps({"es": one, "en": other or None}) + "\n" for one, other in zip(SPANISH, ENGLISH, strict=True)
            )
        },
        {
            "es-en.x.es": "".join(f"es-{n}\t{text}\n" for n, text in enumerate(SPANISH)),
            "es-en.x.en": "".join(f"en-{n}\t{text}\n" for n, text in enumerate(ENGLISH)),
            "es-en.x.gold": "".join(f"es-{n}\ten-{n}\n" for n in range(4)),
        },
    ],
    ids=["text", "json", "bucc"],
)
def test_a_blank_on_either_side_drops_the_pair_and_shifts_nothing(tmp_path, files):
    folder = write(tmp_path, files)
    with pytest.warns(TLExpertsWarning, match="dropped 2 of 4 .* with a blank"):
        (pairs,) = load_pairs(folder)
    assert (pairs.first, pairs.second) == (("uno", "cuatro"), ("one", "four"))
    with pytest.raises(CorpusError, match="is empty in"):
        load_pairs(folder, blanks="refuse")


def test_a_blank_last_line_is_not_paired_with_the_line_before(tmp_path):
    write(tmp_path, {"es-en.es": "uno\n\ntres", "es-en.en": "one\ntwo\n\n"})
    with pytest.warns(TLExpertsWarning, match="dropped 2 of 3"):
        (pairs,) = load_pairs(tmp_path)
    assert (pairs.first, pairs.second) == (("uno",), ("one",))


@pytest.mark.parametrize("value", [7, ["one"], True])
def test_a_side_that_is_not_text_raises(tmp_path, value):
    write(tmp_path, {"es-en.jsonl": json.dumps({"es": "uno", "en": value})})
    with pytest.raises(CorpusError, match=says("row 0, 'en' holds", "expected text")):
        load_pairs(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds none of"),
        ({"tatoeba.deu-eng.deu": "eins\n"}, "other half tatoeba.deu-eng.eng is not"),
        ({"tatoeba.deu-eng.deu": "eins\n", "tatoeba.deu-eng.eng": "one\ntwo\n"}, "unequal length"),
        ({"de-en.x.gold": "de-1\ten-1\n", "de-en.x.de": "de-1\teins\n", "de-en.x.en": ""}, "no sentence for the id"),
        ({"es-en.jsonl": '{"es": "uno"}\n'}, "expected objects with 'es' and 'en'"),
        ({"es-en.jsonl": "\n"}, "0 and 0 sentences"),
    ],
)
def test_broken_pairs_are_named(tmp_path, files, message):
    with pytest.raises(CorpusError, match=message):
        load_pairs(write(tmp_path, files))


def test_a_folder_that_does_not_exist_raises(tmp_path):
    with pytest.raises(CorpusError, match="is not a folder"):
        load_pairs(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="holds no paraphrases"):
        load_paraphrases(tmp_path / "nowhere")
