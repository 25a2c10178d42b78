"""One small study of a tiny random model, run once: its numbers mean nothing but must be correct."""

import json

import pytest

from tl_experts.corpus.pairs import load_paraphrases
from tl_experts.study import StudyConfig, run_study

OPTIONS = {
    "name": "tiny",
    "targets": ["en", "ja"],
    "probe_languages": ["en", "de", "fr", "ja"],
    "languages": ["en", "de", "fr", "ja"],
    "dev_rows": 12,
    "test_rows": 10,
    "sweep_k": [4, 8],
    "k": 6,
    "sweep_rows": 6,
    "texts": 3,
    "text_seeds": 2,
    "text_tokens": 8,
    "control_seeds": 2,
    "silencing": ["auroc", "lape", "dln"],
    "resamples": 1500,
}


@pytest.fixture(scope="session")
def config(checkpoint, tmp_path_factory):
    """A small study: six paraphrases per language and one small set of translation pairs."""
    folder = tmp_path_factory.mktemp("inputs")
    lines = [
        {"language": language, "sentence": one, "paraphrase": two, "negative": three}
        for language, item in load_paraphrases().items()
        for one, two, three in list(zip(item.sentences, item.paraphrases, item.negatives, strict=True))[:6]
    ]
    (folder / "paraphrases.jsonl").write_text("\n".join(map(json.dumps, lines)))
    rows = [("eins", "one"), ("zwei", "two"), ("drei", "three")]
    (folder / "de-en.jsonl").write_text("\n".join(json.dumps({"de": de, "en": en}) for de, en in rows))
    inputs = {"paraphrases": str(folder / "paraphrases.jsonl"), "pairs": str(folder)}
    return StudyConfig.from_dict(OPTIONS | inputs | {"model": str(checkpoint("llama"))})


@pytest.fixture(scope="session")
def result(config, tmp_path_factory):
    return run_study(config, tmp_path_factory.mktemp("study"), progress=False)
