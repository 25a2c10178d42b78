"""The demo prints and saves its two tables."""

import json

import pytest
from typer.testing import CliRunner

from tl_experts import Experts
from tl_experts.cli.commands import app

RUN = CliRunner()


@pytest.fixture(scope="module")
def demo(checkpoint, tmp_path_factory):
    output = tmp_path_factory.mktemp("demo")
    arguments = ["demo", "--model", str(checkpoint("llama")), "--k", "5", "--rows", "6", "--quiet"]
    done = RUN.invoke(app, [*arguments, "--output", str(output)], catch_exceptions=False)
    return done, output


def test_demo_prints_both_tables_and_what_to_do_next(demo):
    done, output = demo
    assert done.exit_code == 0
    for part in ("Experts", "Retrieval", "es → en", "ja → es", "mean others → es", "Saved", "Try next"):
        assert part in done.output
    assert str(output / "experts") in done.output


def test_demo_shows_three_prompts_before_and_after_above_the_retrieval_table(demo):
    said = demo[0].output
    assert "steering to es (the paper's setting)" in said
    assert said.count("before: ") == said.count("after:  ") == 3
    assert said.index("Every Sunday, my grandmother") < said.index("Retrieval")


def test_demo_saves_what_it_printed(demo):
    _, output = demo
    experts = Experts.from_pretrained(output / "experts")
    assert experts.languages == ("en", "de", "fr", "es", "it", "pt", "ru", "ja", "zh")
    assert set(experts.counts.values()) == {5}
    lines = (output / "retrieval.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 8
    assert lines[0] == "query,candidate,before,after,random,random_spread,centred"
    assert json.loads((output / "settings.json").read_text())["k"] == 5
    assert len((output / "experts.csv").read_text().splitlines()) == 1 + 9 * 5
