"""The catalogue as it is printed: every name whole, every missing model with its command."""

from dataclasses import replace

from tl_experts import available_models
from tl_experts.cli import catalogue
from tl_experts.cli.output import Output


def test_a_missing_model_is_listed_with_the_command_that_gets_it(monkeypatch, capsys):
    [entry, *_] = available_models()
    missing = replace(entry, name="[a]-missing-model", bundled="nowhere", get_it="pip install [that]")
    monkeypatch.setattr(catalogue, "available_models", lambda: [missing])
    catalogue.list_models(Output(as_json=False))
    printed = capsys.readouterr().out
    assert "[a]-missing-model:  pip install [that]" in printed
