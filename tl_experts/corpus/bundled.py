"""Where the data that comes with the package lies."""

import json
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def data_folder() -> Path:
    """The project's `data/`: inside the installed wheel, or beside the package in a checkout."""
    installed = _PACKAGE / "_data"
    return installed if installed.is_dir() else _PACKAGE.parent / "data"


def bundled_languages() -> list[str]:
    """The languages of the bundled text, corpus and prompts alike."""
    with (data_folder() / "corpus" / "prompts.jsonl").open(encoding="utf-8") as stream:
        return sorted(set(json.loads(stream.readline())) - {"row", "domain"})
