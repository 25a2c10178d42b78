"""The rows of texts and measures: a text's prompt row, its worth, and a setting that survives."""

import numpy as np
import pytest

from tl_experts.steering.tuning.space import Setting
from tl_experts.steering.writing.measures import measures_of_texts
from tl_experts.study.comparison.bench import CompareBench
from tl_experts.study.comparison.methods import Method
from tl_experts.study.comparison.texts import Writer, setting_of


@pytest.fixture
def writer(compare_config, mini, tmp_path):
    return Writer(CompareBench(compare_config, mini, None, None, tmp_path), "es")


@pytest.fixture(scope="module")
def measures():
    natural = measures_of_texts(["Guarde el documento antes de cerrar la ventana."], "es")
    object.__setattr__(natural, "perplexities", np.array([10.0]))
    texts = ["Guarde el documento antes de cerrar la ventana.", "Save the document before you close the window."]
    found = measures_of_texts(texts, "es", prompts=["To keep it,", "To quit,"], natural=natural)
    object.__setattr__(found, "perplexities", np.array([10.0, 10.0]))
    return found


def test_a_text_in_another_language_is_worth_nothing(writer, measures):
    rows = writer.text_rows("mine", measures)
    assert [(row["row"], row["prompt"], row["useful"]) for row in rows] == [
        (0, "To keep it,", 1.0),
        (1, "To quit,", 0.0),
    ]


def test_a_row_holds_the_setting_and_the_measures(writer, measures):
    setting = Setting("auroc", 20, "set", "mean", layers=(1, 2))
    row = writer.row(Method("auroc", "set mean"), measures, setting)
    assert setting_of(row) == setting
    assert (row["method"], row["scoring"], row["share"], row["example"]) == (
        *("auroc, set mean", "auroc", 0.5),
        measures.texts[0],
    )


def test_a_method_that_wrote_nothing_scores_0_and_has_no_setting(writer):
    row = writer.row("a baseline", None)
    assert (row["scoring"], row["score"], row["reads_well"]) == ("", 0.0, False)
    assert setting_of(row) is None
