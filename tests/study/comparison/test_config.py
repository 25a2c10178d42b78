"""Options of a comparison: checked when they are read, each bad one named."""

import pytest

from tests.comparison_fixtures import OPTIONS
from tl_experts.errors import StudyError
from tl_experts.study.comparison.config import HOLDS, CompareConfig, load_comparison, shipped_comparisons


def test_options_survive_a_round_trip(compare_config):
    assert CompareConfig.from_dict(compare_config.as_dict()) == compare_config


def test_every_shipped_comparison_is_valid_and_named_like_its_file():
    assert {name: load_comparison(name).name for name in shipped_comparisons()} == {
        name: name for name in shipped_comparisons()
    }
    assert {"polyglot-mini", "gemma-3-270m"} <= set(shipped_comparisons())


@pytest.mark.parametrize("name", ["aya-8b", "bloom-7b", "llama-3.1-8b-instruct"])
def test_the_8b_models_answer_the_questions_of_clas_bench_on_flores(name):
    config = load_comparison(name)
    assert (config.prompts, config.corpus, config.test_split) == ("clas-bench", "flores200", "devtest")
    assert {*config.targets, "en", "de"} <= set(config.languages)
    assert "cannot be run on a laptop" in shipped_comparisons()[name].read_text()


def test_the_default_is_at_least_six_scorings_by_six_holds():
    config = CompareConfig("mine", "polyglot-mini")
    assert len(config.scorings) >= 6
    assert len(config.holds) >= 6
    assert set(config.holds) <= set(HOLDS)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("scorings", ["auroc", "luck"]),
        ("holds", ["set luck"]),
        ("targets", []),
        ("languages", [5]),
        ("dev_split", 5),
        ("counts", [0]),
        ("trials", 0),
        ("name", "../escaped"),
        ("model", 5),
        ("dtype", "float8"),
        ("equal_kl", 0),
        ("equal_kl", "much"),
        ("kl_rows", 0),
        ("silencing_rows", -1),
        ("silencing_count", 0),
        ("prompts", 5),
        ("chat", "sometimes"),
    ],
)
def test_a_bad_option_raises_an_error_that_names_it(option, value):
    with pytest.raises(StudyError, match=option):
        CompareConfig.from_dict(OPTIONS | {option: value})


def test_a_file_that_does_not_exist_is_told_from_a_shipped_comparison():
    with pytest.raises(StudyError, match=r"'polyglot-mimi'.*did you mean 'polyglot-mini'"):
        load_comparison("polyglot-mimi")
