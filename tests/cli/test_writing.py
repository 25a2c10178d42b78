"""`steer` and `tune` on the command line: texts before and after, their measures, and mistakes told early."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from tl_experts import Budget, Steering, TuneResult, find_experts
from tl_experts.cli.commands import app
from tl_experts.errors import TLExpertsError

RUN = CliRunner()
SHORT = ["--max-new-tokens", "3", "--quiet"]


@pytest.fixture(scope="module")
def kept(model_of, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    experts = find_experts(model_of("llama"), corpus, k=6, progress=False)
    experts.save_pretrained(folder / "experts")
    Steering(experts["de"], "add", strength=0.5).save_pretrained(folder / "steering")
    return folder


def ok(*arguments):
    done = RUN.invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_texts_before_and_after_as_json(checkpoint, kept):
    prompts = ["--prompt", "Die Katze", "--prompt", "Where"]
    common = ["steer", checkpoint("llama"), "--to", "de", *prompts, "-n", 2, "--json", *SHORT]
    rows = json.loads(ok(*common, "--experts", kept / "experts"))
    assert [row["prompt"] for row in rows] == ["Die Katze", "Where"]
    for row in rows:
        assert set(row) == {"prompt", "before", "after", "measures"}
        assert len(row["before"]) == len(row["after"]) == row["measures"]["after"]["texts"] == 2
        assert 0 <= row["measures"]["before"]["share"] <= 1
    other = json.loads(ok(*common, "--steering", kept / "steering"))
    assert [row["before"] for row in other] == [row["before"] for row in rows]
    assert [row["after"] for row in other] != [row["after"] for row in rows]


def test_texts_before_and_after_as_text(checkpoint, kept):
    said = ok("steer", checkpoint("llama"), "--to", "de", "--prompt", "Where", "--experts", kept / "experts", *SHORT)
    assert "before: Where" in said
    assert " after: Where" in said
    assert "1 texts, " in said
    assert f"tl-experts tune {checkpoint('llama')} --to de" in said
    given = ok("steer", checkpoint("llama"), "--to", "de", "--prompt", "Where", "--steering", kept / "steering", *SHORT)
    assert "given: add at strength 0.5" in given


def test_tune_saves_what_steer_takes(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("tl_experts.steering.writing.measures.in_language", lambda texts, _: np.ones(len(texts), bool))
    for module in ("trials", "tuner"):
        monkeypatch.setattr(f"tl_experts.steering.tuning.{module}.hopeless", lambda _: False)
    name, folder = checkpoint("llama"), tmp_path / "run"
    said = ok("tune", name, "--to", "ru", "--trials", 2, "--rows", 2, "--output", folder, *SHORT)
    assert f"--steering {folder}" in said
    assert 1 <= len(TuneResult.load(folder).trials) <= 2
    ok("steer", name, "--to", "ru", "--prompt", "Where", "--steering", folder, *SHORT)


@pytest.mark.parametrize(
    ("options", "final"),
    [([], {}), (["--finalists", "0"], {"finalists": 0}), (["--final-texts", "3"], {"final_texts": 3})],
)
def test_the_final_is_that_of_the_options(options, final, checkpoint, monkeypatch):
    asked = []

    def search(*_, budget, **__):
        asked.append(budget)
        raise TLExpertsError("enough")

    monkeypatch.setattr("tl_experts.steering.tune", search)
    RUN.invoke(app, ["tune", str(checkpoint("llama")), "--to", "ru", "--trials", "5", "--rows", "2", *options])
    assert asked == [Budget(trials=5, **final)]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["steer", "TINY", "--to", "de"], 2),  # without a prompt
        (["steer", "TINY", "--prompt", "a"], 2),
        (["steer", "TINY", "--to", "de", "--prompt", "a", "--experts", "x", "--steering", "y"], 2),
        (["tune", "TINY", "--to", "de", "--trials", "3", "--seconds", "3"], 2),
        (["tune", "TINY", "--to", "de", "--trials", "0"], 2),
        (["tune", "TINY", "--to", "de", "--objective", "align", "--finalists", "6"], 2),
        (["tune", "TINY", "--to", "de", "--final-texts", "0"], 2),
    ],
)
def test_a_wrong_option_is_a_usage_error(arguments, code):
    assert RUN.invoke(app, arguments).exit_code == code


def test_a_wrong_language_fails_before_the_model_is_loaded():
    begun = time.perf_counter()
    command = [sys.executable, "-m", "tl_experts", "steer", "polyglot-mini", "--to", "xx", "--prompt", "a"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"{time.perf_counter() - begun:.1f} s")  # noqa: T201 (shown by -s; a busy machine decides)
    assert done.returncode == 1
    assert "'xx'" in done.stderr
    assert "Traceback" not in done.stderr
