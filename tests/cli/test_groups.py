"""Groups of options: a command takes a dataclass, its user gives the options of its fields."""

from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from tl_experts.cli.groups import Machine, Sentences, grouped
from tl_experts.errors import CorpusError


@dataclass(frozen=True)
class Colour:
    colour: Annotated[str, typer.Option(help="A colour.")]
    bright: Annotated[bool, typer.Option("--bright")] = False


@dataclass(frozen=True)
class Again:
    bright: Annotated[bool, typer.Option("--bright")] = False


def paint(given: Colour, wall: Annotated[str, typer.Argument()], coats: Annotated[int, typer.Option()] = 1) -> None:
    """Paint a wall."""
    typer.echo(f"{wall} {given} {coats}")


def clash(one: Colour, other: Again) -> None:
    """Two options of one name."""


def called(*arguments: str):
    app = typer.Typer()
    app.command()(grouped(paint))
    return CliRunner().invoke(app, arguments)


def test_the_options_of_a_group_make_its_value():
    assert called("north", "--colour", "red").output == "north Colour(colour='red', bright=False) 1\n"
    assert (
        "Colour(colour='red', bright=True) 3" in called("north", "--colour", "red", "--bright", "--coats", "3").output
    )
    assert called("north").exit_code == 2  # a field without a default is a required option
    shown = called("--help").output
    assert "A colour." in shown
    assert "Paint a wall." in shown


def test_two_groups_with_one_option_are_refused():
    with pytest.raises(TypeError, match="clash: an option is in two groups"):
        grouped(clash)


def test_sentences_and_a_model_are_loaded_as_asked(checkpoint, tmp_path):
    (tmp_path / "es.txt").write_text("uno\ndos\ntres\n")
    (tmp_path / "en.txt").write_text("one\ntwo\nthree\n")
    corpus = Sentences(sentences=str(tmp_path), languages="en", limit=2).load(min_languages=1)
    assert corpus.texts == ("one", "two")
    with pytest.raises(CorpusError):
        Sentences(sentences=str(tmp_path), languages="en").load()
    assert Sentences(sentences="x").load({"es": str(tmp_path / "es.txt")}, min_languages=1).languages == ("es",)
    model = Machine(device="cpu", dtype="bfloat16").load(str(checkpoint("llama")))
    assert str(model.cfg.dtype) == "torch.bfloat16"
