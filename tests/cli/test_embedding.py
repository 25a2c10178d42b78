"""`embed` and `retrieve`: the files hold what the functions compute."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.conftest import TEXTS
from tl_experts import embed, find_experts, steer, top1_accuracy
from tl_experts.cli.commands import app
from tl_experts.errors import CorpusError, SiteError, TLExpertsError

RUN = CliRunner()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The corpus of the fixtures as a table."""
    path = tmp_path_factory.mktemp("table") / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(TEXTS)
        writer.writerows(zip(*TEXTS.values(), strict=True))
    return path


@pytest.fixture(scope="module")
def experts(model_of, corpus, tmp_path_factory):
    found = find_experts(model_of("llama"), corpus, k=6, progress=False)
    folder = tmp_path_factory.mktemp("experts")
    found.save_pretrained(folder)
    return found, folder


def run(*arguments):
    return RUN.invoke(app, [*map(str, arguments), "--quiet"], catch_exceptions=False)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_vectors_are_written_with_their_sentences(checkpoint, model_of, table, tmp_path):
    path = tmp_path / "new" / "vectors.parquet"
    done = run("embed", checkpoint("llama"), "--sentences", table, "--layer", -1, "--output", path, "--json")
    assert json.loads(done.stdout) == {
        "output": str(path),
        "sentences": 24,
        "dimensions": 32,
        "counts": dict.fromkeys(TEXTS, 6),
        "steering": None,
    }
    stored = pq.read_table(path).to_pydict()
    from tl_experts import load_sentences

    corpus = load_sentences(table)
    assert (tuple(stored["text"]), tuple(stored["language"])) == (corpus.texts, corpus.labels)
    expected = embed(model_of("llama"), corpus, layer=-1, progress=False).vectors
    np.testing.assert_array_equal(np.array(stored["vector"], dtype=np.float32), expected.numpy())


def test_steered_and_centred_vectors_as_an_array(checkpoint, model_of, table, corpus, experts, tmp_path):
    found, folder = experts
    common = ["embed", checkpoint("llama"), "--sentences", table, "--experts", folder, "--to", "de"]
    assert "steered: " in run(*common, "-o", tmp_path / "a.npy").output
    assert run(*common, "-o", tmp_path / "b.npy", "--centred").exit_code == 0
    model = model_of("llama")
    from tl_experts import load_sentences

    with steer(model, found["de"]):
        expected = embed(model, load_sentences(table), progress=False)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), expected.vectors.numpy())
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), expected.centred().vectors.numpy())
    assert not np.allclose(expected.vectors, embed(model, load_sentences(table), progress=False).vectors)


def test_a_text_file_is_of_the_language_that_is_said(checkpoint, tmp_path):
    (tmp_path / "lines.txt").write_text("uno\ndos\n")
    path = tmp_path / "lines.npy"
    done = run("embed", checkpoint("llama"), "--sentences", tmp_path / "lines.txt", "--language", "es", "-o", path)
    assert "2 vectors of 32 numbers" in done.output
    assert np.load(path).shape == (2, 32)


def test_retrieval_is_that_of_the_functions(checkpoint, model_of, table, tmp_path):
    out, matches = tmp_path / "pairs.csv", tmp_path / "matches.csv"
    common = ["retrieve", checkpoint("llama"), "--corpus", table, "--layer", 0]
    done = run(*common, "-o", out, "--matches", matches, "--queries", "de,en", "--candidates", "ru")
    assert "de → ru" in done.output
    from tl_experts import load_sentences

    vectors = embed(model_of("llama"), load_sentences(table), layer=0, progress=False).parallel()
    pairs = rows_of(out)
    assert [(row["query"], row["candidate"], row["rows"]) for row in pairs] == [("de", "ru", "6"), ("en", "ru", "6")]
    for row in pairs:
        assert float(row["top1"]) == pytest.approx(top1_accuracy(vectors[row["query"]], vectors["ru"]))
    found = rows_of(matches)
    assert [row["text"] for row in found[:6]] == TEXTS["de"]
    for row in found:
        right = TEXTS["ru"][TEXTS[row["query"]].index(row["text"])]
        assert (row["rank"] == "0") == (row["nearest"] == right)
    reported = json.loads(run(*common, "-o", out, "--json").stdout)["pairs"]
    assert len(reported) == 12
    assert all(row["top1"] <= row["mrr"] <= 1 for row in reported)
    assert json.loads(run(*common, "-o", out, "--json", "--centred", "--measure", "csls").stdout)["pairs"] != reported


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["retrieve", "--queries", "fr"], CorpusError),
        (["retrieve", "--measure", "dot"], TLExpertsError),
        (["retrieve", "--layer", "7"], SiteError),
        (["embed", "--layer", "7", "-o", "a.npy"], SiteError),
    ],
)
def test_what_the_corpus_or_model_lacks_is_an_error(arguments, error, checkpoint, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, *others = arguments
    given = [*others, *([] if "-o" in others else ["-o", "a.csv"])]
    with pytest.raises(error):
        run(command, checkpoint("llama"), "--sentences", table, *given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["embed", "polyglot-mini"],
        ["embed", "polyglot-mini", "-o", "vectors.txt"],
        ["retrieve", "polyglot-mini"],
        ["retrieve", "polyglot-mini", "-o", "a.csv", "--queries", "es", "--candidates", "es"],
    ],
)
def test_a_wrong_option_is_a_usage_error(arguments):
    assert run(*arguments).exit_code == 2
