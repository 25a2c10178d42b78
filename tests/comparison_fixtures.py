"""One small comparison of the bundled model, run once."""

import pytest

from tl_experts.study.comparison import CompareConfig, compare

OPTIONS = {
    "name": "tiny",
    "model": "polyglot-mini",
    "targets": ["es"],
    "scorings": ["auroc"],
    "holds": ["set mean", "add diffmean"],
    "counts": [20, 100],
    "retrieval_counts": [100],
    "trials": 2,
    "texts": 1,
    "text_tokens": 6,
    "dev_rows": 8,
    "test_rows": 8,
    "resamples": 500,
    "kl_rows": 1,
    "silencing_rows": 2,
    "silencing_count": 20,
}


@pytest.fixture(scope="session")
def compare_config():
    return CompareConfig.from_dict(OPTIONS)


@pytest.fixture(scope="session")
def compared(compare_config, mini, tmp_path_factory):
    return compare(compare_config, tmp_path_factory.mktemp("comparison"), model=mini, progress=False)
