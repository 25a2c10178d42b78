"""The page "Reading your data" shows what its calls give: its blocks are run on files made here."""

import doctest
import gzip
import json
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "tutorials" / "docs" / "guide" / "reading-your-data.md"
ENGLISH, SPANISH = ("One.", "Two."), ("Uno.", "Dos.")
TEXTS = {"en": ENGLISH, "es": SPANISH}
FLORES = {"eng": ENGLISH, "spa": SPANISH}


def jsonl(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def files() -> dict[str, str]:
    """The files of every layout on the page."""
    text = {code: "\n".join(texts) + "\n" for code, texts in TEXTS.items()}
    made = {
        "ntrex/newstest2019-src.eng.txt": text["en"],
        "ntrex/newstest2019-ref.spa.txt": text["es"],
        "laser/tatoeba.spa-eng.spa": text["es"],
        "laser/tatoeba.spa-eng.eng": text["en"],
        "xtreme/es-en.es": text["es"],
        "xtreme/es-en.en": text["en"],
        "opus/Tatoeba.en-es.en": text["en"],
        "opus/Tatoeba.en-es.es": text["es"],
        "long.jsonl": jsonl(
            [{"id": n, "lang": code, "sentence": t} for code, texts in TEXTS.items() for n, t in enumerate(texts)]
        ),
    }
    for code, texts in TEXTS.items():
        paragraphs = [{"context": sentence, "qas": []} for sentence in texts]
        made[f"texts/{code}.txt"] = text[code]
        made[f"xquad/xquad.{code}.json"] = json.dumps({"data": [{"paragraphs": paragraphs}]})
        made[f"pud/UD-{code}/{code}_pud-ud-test.conllu"] = "".join(
            f"# sent_id = n0{n}\n# text = {sentence}\n1\t_\n\n" for n, sentence in enumerate(texts, 1)
        )
    for code, texts in FLORES.items():
        made[f"flores200/dev/{code}_Latn.dev"] = "\n".join(texts) + "\n"
        made[f"flores200/devtest/{code}_Latn.devtest"] = "\n".join(texts) + "\n"
        made[f"flores_plus/dev/{code}_Latn.jsonl"] = jsonl(
            [{"id": n, "iso_639_3": code, "iso_15924": "Latn", "text": t} for n, t in enumerate(texts)]
        )
        made[f"belebele/{code}_Latn.jsonl"] = jsonl(
            [
                {
                    "link": f"w/{n}",
                    "question_number": 1,
                    "flores_passage": t,
                    "question": "?",
                    "dialect": f"{code}_Latn",
                }
                for n, t in enumerate(texts)
            ]
        )
    return made


def test_the_calls_of_the_page_give_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, written in files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(written, encoding="utf-8")
    (tmp_path / "wide.csv.gz").write_bytes(gzip.compress(b"en,es\nOne.,Uno.\nTwo.,Dos.\n"))
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```pycon\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    assert len(test.examples) >= 25
    said: list[str] = []
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=said.append).failed == 0, "".join(said)


@pytest.mark.parametrize("call", re.findall(r"`(load_sentences\([^`]*\))` \|", PAGE.read_text("utf-8")))
def test_a_call_of_the_table_is_one_of_the_blocks(call: str) -> None:
    source = re.match(r'load_sentences\("\w+"', call)
    assert source
    assert f">>> {source[0]}" in PAGE.read_text("utf-8")
