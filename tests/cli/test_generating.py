"""`generate`: a file of prompts to a file of texts."""

import json

import pytest
from typer.testing import CliRunner

from tl_experts import Decoding, continue_prompts, find_experts, steer
from tl_experts.cli.commands import app
from tl_experts.cli.generating import read_prompts
from tl_experts.errors import CorpusError

RUN = CliRunner()
PROMPTS = ["Die Katze", "Where did you"]


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("\n\n".join(PROMPTS) + "\n")
    return path


def run(*arguments):
    done = RUN.invoke(app, ["generate", *map(str, arguments), "--max-new-tokens", "3", "--quiet"])
    assert done.exit_code == 0, done.output
    return done.output


def written(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_texts_are_those_of_continue_prompts(checkpoint, model_of, corpus, prompts, tmp_path):
    model, path = model_of("llama"), tmp_path / "texts.jsonl"
    experts = find_experts(model, corpus, k=6, progress=False)
    experts.save_pretrained(tmp_path / "experts")
    options = {"texts": 2, "seed": 5, "decoding": Decoding(max_new_tokens=3, temperature=1.0), "progress": False}
    common = [checkpoint("llama"), "--prompts", prompts, "-o", path, "-n", 2, "--seed", 5, "--temperature", 1]
    assert "4 texts (" in run(*common)
    plain = written(path)
    assert [(row["prompt"], row["seed"]) for row in plain] == [(text, seed) for text in PROMPTS for seed in (5, 6)]
    expected = continue_prompts(model, PROMPTS, **options)
    assert [row["text"] for row in plain] == [text for texts in expected for text in texts]
    told = json.loads(run(*common, "--experts", tmp_path / "experts", "--to", "de", "--json"))
    assert told["texts"] == sum(told["languages"].values()) == 4
    assert "6 de experts" in told["steering"]
    with steer(model, experts["de"]):
        steered = continue_prompts(model, PROMPTS, **options)
    assert [row["text"] for row in written(path)] == [text for texts in steered for text in texts]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", '{"prompt": "Die Katze"}\n{"prompt": "Where did you"}\n'),
        ("a.csv", "id,prompt\n1,Die Katze\n2,Where did you\n"),
        ("a.json", '[{"prompt": "Die Katze"}, {"prompt": "Where did you"}]'),
        ("a", "Die Katze\nWhere did you\n"),
    ],
)
def test_prompts_are_read_from_text_and_tables(name, content, tmp_path):
    (tmp_path / name).write_text(content)
    assert read_prompts(tmp_path / name) == PROMPTS


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "\n \n", "holds no prompt"),
        ("a.jsonl", '{"text": "Die Katze"}', "no text in the column 'prompt' .it has text"),
        ("a.jsonl", '{"prompt": "a"}\n{"prompt": 3}', "row 2"),
        ("a.txt", None, "a.txt"),
    ],
)
def test_a_file_without_prompts_is_an_error(name, content, words, tmp_path):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(CorpusError, match=words):
        read_prompts(tmp_path / name)
