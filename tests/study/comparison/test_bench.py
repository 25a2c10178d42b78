"""The bench of a comparison: disjoint splits that share the targets, one pass for all statistics."""

from dataclasses import replace

import pytest

from tl_experts.errors import StudyError
from tl_experts.study.comparison.bench import CompareBench, read_corpora

pytestmark = pytest.mark.slow


def test_splits_have_the_configured_rows_and_share_no_sentence(compare_config):
    dev, test = read_corpora(compare_config)
    assert len(dev.parallel()["es"]) == compare_config.dev_rows
    assert len(test.parallel()["es"]) == compare_config.test_rows
    assert not set(dev.texts) & set(test.texts)


def test_only_the_languages_that_are_named_are_read(compare_config):
    for corpus in read_corpora(replace(compare_config, languages=("es", "ja", "en"))):
        assert corpus.languages == ("es", "ja", "en")
    with pytest.raises(StudyError, match="'es' is not in both splits; they share ja, en"):
        read_corpora(replace(compare_config, languages=("ja", "en")))


def test_the_statistics_serve_scorings_and_the_language_vector(compare_config, mini, tmp_path):
    dev, test = read_corpora(compare_config)
    bench = CompareBench(compare_config, mini, dev, test, tmp_path, progress=False)
    settings = [method.retrieval_settings(compare_config)[0] for method in bench.methods]
    assert all(bench.builder("es").possible(setting) for setting in settings)
    assert bench.builder("es") is bench.builder("es")
