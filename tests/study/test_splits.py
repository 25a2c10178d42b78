"""The splits of a study's corpus, of every layout, and the errors of splits that do not fit."""

import json
from dataclasses import replace

import pytest

from tests.corpus.test_languages import FLORES_200
from tl_experts import load_sentences
from tl_experts.errors import ArtefactError, CorpusError, StudyError
from tl_experts.study.config import load_config
from tl_experts.study.splits import read_split, read_splits


def test_targets_must_be_in_both_splits(config):
    assert read_splits(config).languages == ("en", "de", "fr", "ja")
    with pytest.raises(StudyError, match="target 'es' is not in both splits; they share en, de, fr, ja"):
        read_splits(replace(config, targets=("es",)))


def test_splits_that_share_sentences_raise_an_error(config, tmp_path):
    with pytest.raises(CorpusError, match="share"):
        read_splits(replace(config, corpus=str(overlapping(tmp_path))))


def overlapping(folder):
    """A table whose two splits hold the same sentence."""
    rows = [
        {"en": "One.", "de": "Eins.", "split": "dev"},
        {"en": "One.", "de": "Ein.", "split": "test"},
    ]
    (folder / "table.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "table.jsonl"


def test_the_rows_of_a_table_are_counted_within_the_split(config, tmp_path):
    rows = [{"en": f"e{i}", "de": f"d{i}", "split": "dev" if i % 2 else "test"} for i in range(8)]
    (tmp_path / "table.jsonl").write_text("\n".join(map(json.dumps, rows)))
    mine = replace(config, corpus=str(tmp_path / "table.jsonl"))
    assert read_split(mine.corpus, "dev", 2)["en"].texts == ("e1", "e3")
    assert read_split(mine.corpus, "test", None)["de"].texts == ("d0", "d2", "d4", "d6")


def test_a_split_of_a_folder_is_the_folder_of_that_name(config, tmp_path):
    for split in ("dev", "test"):
        (tmp_path / split).mkdir()
        for language in ("en", "de"):
            (tmp_path / split / f"{language}.txt").write_text(f"{split} {language} 1\n{split} {language} 2\n")
    found = read_split(str(tmp_path), "test", 1)
    assert sorted(found.texts) == ["test de 1", "test en 1"]
    assert found.rows == ("0", "0")


def test_the_bundled_corpus_is_read_by_its_name(config):
    assert read_split(config.corpus, "dev", 3) == load_sentences("bundled", split="dev", limit=3)


def test_a_split_cannot_lead_out_of_the_folder_of_the_corpus(config, tmp_path):
    for folder in (tmp_path / "corpus" / "dev", tmp_path / "outside"):
        folder.mkdir(parents=True)
        for language in ("en", "de"):
            (folder / f"{language}.txt").write_text(f"{folder.name} {language}\n")
    mine = replace(config, corpus=str(tmp_path / "corpus"))
    assert len(read_split(mine.corpus, "dev", None)) == 2
    with pytest.raises(ArtefactError, match=r"'\.\./outside' cannot be the name of a file"):
        read_split(mine.corpus, "../outside", None)


def test_a_tilde_in_the_corpus_is_the_home_folder(config, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine" / "dev").mkdir(parents=True)
    for language in ("en", "de"):
        (tmp_path / "mine" / "dev" / f"{language}.txt").write_text("One.\n")
    assert len(read_split("~/mine", "dev", None)) == 2


@pytest.mark.parametrize("name", ["aya-8b", "bloom-7b", "polylm-13b"])
def test_the_papers_studies_read_flores_200_under_its_own_names(name, tmp_path, monkeypatch):
    """`flores200/dev/eng_Latn.dev` and `flores200/devtest/eng_Latn.devtest`, all 204 of each."""
    for split in ("dev", "devtest"):
        (tmp_path / "flores200" / split).mkdir(parents=True)
        for code in FLORES_200:
            path = tmp_path / "flores200" / split / f"{code}.{split}"
            path.write_text(f"{split} {code} 1\n{split} {code} 2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    config = load_config(name)
    found = read_splits(config)
    assert found.languages == config.languages
    assert found.probe.languages == config.probe_languages
    assert len(found.dev.languages) == len(FLORES_200)
    named = {"en": "eng_Latn", "zh": "zho_Hans", "ja": "jpn_Jpan", "fa": "pes_Arab", "fr": "fra_Latn"}
    for language in set(named) & set(config.languages):
        assert found.test[language].texts == tuple(f"devtest {named[language]} {n}" for n in (1, 2))
    assert found.probe["zh"].texts == ("dev zho_Hans 1", "dev zho_Hans 2")
    assert {len(indices) for indices in found.test.parallel().values()} == {2}
