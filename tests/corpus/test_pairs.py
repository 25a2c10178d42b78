"""Readers of pairs: each layout beside its broken neighbour."""

import json

import pytest

from tl_experts.corpus.pairs import load_pairs, load_paraphrases
from tl_experts.errors import CorpusError


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
def test_a_folder_that_is_no_pawsx_is_refused(tmp_path, files, message):
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
    ("files", "message"),
    [
        ({}, "holds neither"),
        ({"tatoeba.deu-eng.deu": "eins\n"}, "other half tatoeba.deu-eng.eng is not"),
        ({"tatoeba.deu-eng.deu": "eins\n", "tatoeba.deu-eng.eng": "one\ntwo\n"}, "1 and 2 sentences"),
        ({"de-en.x.gold": "de-1\ten-1\n", "de-en.x.de": "de-1\teins\n", "de-en.x.en": ""}, "no sentence for the id"),
        ({"es-en.jsonl": '{"es": "uno"}\n'}, "expected objects with 'es' and 'en'"),
        ({"es-en.jsonl": "\n"}, "0 and 0 sentences"),
    ],
)
def test_broken_pairs_are_named(tmp_path, files, message):
    with pytest.raises(CorpusError, match=message):
        load_pairs(write(tmp_path, files))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CorpusError, match="is no folder"):
        load_pairs(tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="holds no paraphrases"):
        load_paraphrases(tmp_path / "nowhere")
