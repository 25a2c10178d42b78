"""The bundled prompts: 40 neutral beginnings of sentences, aligned over nine languages."""

import json

from tl_experts.corpus.bundled import bundled_languages, data_folder
from tl_experts.corpus.languages import language_code
from tl_experts.errors import TLExpertsError, require_choice

DOMAINS = ("general", "computers")


def load_prompts(language: str, *, domain: str | None = None) -> list[str]:
    """The bundled prompts of a language, in the same order in all languages.

    Args:
        language: de, en, es, fr, it, ja, pt, ru or zh.
        domain: ``"general"`` or ``"computers"`` (what polyglot-mini was trained on), 20 each; None: both.

    Raises:
        TLExpertsError: no prompts in this language or domain.

    Examples:
        >>> load_prompts("es", domain="general")[0]
        'Todos los domingos, mi abuela'
    """
    require_choice(domain, (None, *DOMAINS), "domain")
    lines = (data_folder() / "corpus" / "prompts.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    known = bundled_languages()
    code = language_code(language)
    if code not in known:
        raise TLExpertsError(f"there are no bundled prompts in {language!r}; they are in {', '.join(known)}")
    return [row[code] for row in rows if domain in (None, row["domain"])]
