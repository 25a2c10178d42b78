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


def test_of_a_scoring_that_ranks_fewer_neurons_than_any_count_retrieval_takes_all(compare_config, mini, tmp_path):
    config = replace(compare_config, scorings=("auroc", "lape"), holds=("set mean",), retrieval_counts=(5, 3_000))
    dev, test = read_corpora(config)
    few_or_many = CompareBench(config, mini, dev, test, tmp_path, progress=False)
    many = replace(few_or_many, config=replace(config, retrieval_counts=(3_000,)))
    ranked = many.builder("es").best("lape", 3_000).total
    assert 5 < ranked < 3_000

    def counts(bench):
        found = {method.name: bench.retrieval_settings("es", method) for method in bench.methods}
        return {name: [setting.count for setting in settings] for name, settings in found.items()}

    whole = {"all neurons, difference of means": [None], "language vector": [None]}
    assert counts(few_or_many) == {"auroc, set mean": [5, 3_000], "lape, set mean": [5], **whole}
    assert counts(many) == {"auroc, set mean": [3_000], "lape, set mean": [ranked], **whole}
    assert many.builder("es").possible(many.retrieval_settings("es", many.methods[1])[0])
