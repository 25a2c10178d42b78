"""The paragraph on romanised text: its numbers, its verdict, and how to measure what was not measured."""

from dataclasses import replace

import pandas as pd
import pytest

from tests.study.comparison.handmade import NEURONS, comparison
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.scripts import scripts
from tl_experts.study.comparison.views import BEST_CENTRED, LAST_RAW


def russian(after=0.1):
    """A comparison for Russian, whose experts separate it in so many cases in Latin letters."""
    found = comparison({}, (0.1, 0.001), {})
    rows = [(UNSTEERED, LAST_RAW, 0.1, 0.0), (UNSTEERED, BEST_CENTRED, 0.5, 0.25), (NEURONS, BEST_CENTRED, 0.6, 0.55)]
    tables = {
        "alignment": found["alignment"].assign(target="ru"),
        "romanised": pd.DataFrame(
            [
                {"target": "ru", "method": method, "view": view, "cyrillic": before, "romanised": now, "p": 0.01}
                for method, view, before, now in rows
            ]
        ),
        "romanised_experts": pd.DataFrame(
            [
                {"target": "ru", "neurons": 100, "separate_cyrillic": 0.9, "separate_romanised": after}
                | {"auroc_cyrillic": 0.97, "auroc_romanised": 0.55}
            ]
        ),
    }
    return replace(found, config=replace(found.config, targets=("ru",)), tables=tables)


def test_it_says_what_either_script_finds_in_the_best_views():
    said = scripts(russian())
    assert said.startswith(
        "Language or script? Russian in Latin letters finds and is found by its translations in 25.0% of cases, "
        "against 50.0% in Cyrillic ones (best layer, centred; the difference is beyond doubt); with the best "
        "intervention (AUROC, set to the mean) in 55.0% of cases, against 60.0% in Cyrillic ones"
    )
    assert "Of the 100 neurons by AUROC, 90.0% separate Russian from the other languages" in said
    assert (
        "10.0% in Latin ones (mean AUROC 0.97 and 0.55): they respond to the script more than to the language." in said
    )


@pytest.mark.parametrize(
    ("after", "verdict"), [(0.8, "the language more than to its script"), (0.45, "both language and script")]
)
def test_the_verdict_follows_the_experts_that_still_separate_it(after, verdict):
    assert scripts(russian(after)).endswith(f"they respond to {verdict}.")


def test_what_was_not_measured_names_the_command():
    found = russian()
    rest = replace(found, tables={"alignment": found["alignment"]})
    assert scripts(rest) == (
        "Romanised Russian was not measured, which would tell language from script: pip install "
        "'tl-experts[romanise]', and run the same comparison again."
    )


def test_languages_of_other_scripts_have_no_paragraph():
    found = comparison({}, (0.1, 0.001), {})
    assert scripts(found) == ""
