"""Fixtures: tiny random checkpoints of real architectures, and a small multilingual corpus. No network anywhere."""

import gc
import os

os.environ["HF_HUB_OFFLINE"] = "1"  # a test that would reach for a hub fails at once
if "PYTEST_XDIST_WORKER" in os.environ:
    # One core per worker: threads of several workers would wait for each other. Before torch is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from functools import cache
from pathlib import Path

import hypothesis
import jaxtyping
import pytest
import torch

# Before the package: while jaxtyping's import hook executes a module, Python looks for the bytecode of everything that
# the module imports under a name of the hook's own. Each process compiled these libraries again: ten seconds of it.
import transformer_lens  # noqa: F401

from tests.comparison_fixtures import compare_config, compared, fake_encoder  # noqa: F401 (likewise)
from tests.find_fixtures import find_folder  # noqa: F401 (likewise)
from tests.scheduling import pytest_xdist_make_scheduler  # noqa: F401 (a hook)
from tests.study_fixtures import config, result  # noqa: F401 (fixtures of tests/study, plots and pages)
from tl_experts import load_model
from tl_experts.corpus.sentences import Corpus
from tl_experts.models import Model
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER, TransformerBridge

# Its limit of 200 ms an example is a timed test: it failed on busy cores.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

TEXTS = {
    "en": [
        "The cat sleeps on the warm roof.",
        "Where did you put my keys?",
        "It has been raining since early this morning, and nobody wants to go out.",
        "Bread, milk and two apples, please.",
        "She laughed.",
        "Every window in the old house looks out over the harbour.",
    ],
    "de": [
        "Die Katze schläft auf dem warmen Dach.",
        "Wo hast du meine Schlüssel hingelegt?",
        "Seit dem frühen Morgen regnet es, und niemand will hinaus.",
        "Brot, Milch und zwei Äpfel, bitte.",
        "Sie lachte.",
        "Alle Fenster des alten Hauses gehen auf den Hafen.",
    ],
    "ru": [
        "Кошка спит на тёплой крыше.",
        "Куда ты положил мои ключи?",
        "Дождь идёт с раннего утра, и никто не хочет выходить.",
        "Хлеб, молоко и два яблока, пожалуйста.",
        "Она рассмеялась.",
        "Все окна старого дома смотрят на гавань.",
    ],
    "ja": [
        "猫は暖かい屋根の上で眠っている。",
        "私の鍵をどこに置いたの？",
        "早朝から雨が降っていて、誰も外に出たがらない。",
        "パンと牛乳とりんごを二つください。",
        "彼女は笑った。",
        "古い家の窓はどれも港に面している。",
    ],
}

ARCHITECTURES = ("llama", "bloom", "qwen3", "gpt2", "gemma3", "cohere")
CONVERTED = ("llama", "bloom", "qwen3", "gpt2", "gemma3")
"""Those that HookedTransformer converts; Cohere (Aya) is for the bridge only."""
CONTEXT = 512


def tiny_config(architecture: str, vocabulary: int):
    """A real configuration of the architecture, two layers and small widths."""
    import transformers as hf

    gated = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
    }
    plain = {
        "vocab_size": vocabulary,
        "n_layer": 2,
        "n_head": 4,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 2,
    }
    return {
        "llama": lambda: hf.LlamaConfig(**gated),
        "qwen3": lambda: hf.Qwen3Config(**gated, head_dim=8),
        "gemma3": lambda: hf.Gemma3TextConfig(**gated, head_dim=8, sliding_window=16, query_pre_attn_scalar=8),
        "cohere": lambda: hf.CohereConfig(**gated),
        "bloom": lambda: hf.BloomConfig(**plain, hidden_size=32),
        "gpt2": lambda: hf.GPT2Config(**plain, n_embd=32, n_positions=CONTEXT),
    }[architecture]()


def train_tokenizer(padding_side: str = "right"):
    """A byte-level BPE of 400 words, trained on the texts above."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import PreTrainedTokenizerFast

    bpe = ByteLevelBPETokenizer()
    sentences = [text for texts in TEXTS.values() for text in texts]
    bpe.train_from_iterator(sentences, vocab_size=400, special_tokens=["<bos>", "<eos>", "<pad>"], show_progress=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        padding_side=padding_side,
        model_max_length=CONTEXT,
    )


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:  # noqa: F811 (the fixture of study_fixtures has this name)
    """The whole suite runs on up to four cores; tests that are named run at once in this process."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    return 0 if named else min(4, os.cpu_count() or 1)


def pytest_collection() -> None:
    """What imports and collection create stays until the end: no search for garbage looks through it."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Tests create garbage."""
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long first, so that no worker begins one while the others have nothing left to do."""

    def rank(item: pytest.Item) -> int:
        return 0 if item.get_closest_marker("gemma") else 1 if item.get_closest_marker("slow") else 2

    first: dict[Path, int] = {}
    for item in items:
        first[item.path] = min(rank(item), first.get(item.path, 2))
    items.sort(key=lambda item: first[item.path])


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Save (once) a tiny random checkpoint of an architecture and give its folder."""

    @cache
    def build(architecture: str) -> Path:
        from transformers import AutoModelForCausalLM

        folder = tmp_path_factory.mktemp("checkpoints") / f"tiny-{architecture}"
        tokenizer = train_tokenizer()
        torch.manual_seed(sum(map(ord, architecture)))
        model = AutoModelForCausalLM.from_config(tiny_config(architecture, len(tokenizer)))
        with torch.no_grad():
            for parameter in model.parameters():
                # The initial scale of 0.02 would leave every activation near zero, and every test blind.
                parameter.mul_(8) if parameter.ndim > 1 else parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return folder

    return build


@pytest.fixture(scope="session")
def hugging_face(checkpoint: Callable[[str], Path]) -> Callable[[str], torch.nn.Module]:
    """The same checkpoint as Hugging Face's own model."""

    @cache
    def build(architecture: str) -> torch.nn.Module:
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(checkpoint(architecture), attn_implementation="eager").eval()

    return build


@pytest.fixture(scope="session")
def model_of(checkpoint: Callable[[str], Path]) -> Callable[[str], Model]:
    """The checkpoint as `load_model` gives it."""

    @cache
    def build(architecture: str) -> Model:
        return load_model(checkpoint(architecture))

    return build


@pytest.fixture(scope="session")
def bridge_of(checkpoint: Callable[[str], Path]) -> Callable[[str], Model]:
    """The checkpoint as a TransformerBridge, whatever `load_model` would choose."""

    @cache
    def build(architecture: str) -> Model:
        return TransformerBridge.boot_transformers(str(checkpoint(architecture)), device="cpu").eval()

    return build


@pytest.fixture(scope="session")
def mini() -> Model:
    """The bundled model; tests leave it as they found it."""
    return load_model("polyglot-mini")


@pytest.fixture(scope="session", params=["hooked", "bridge"])
def llama(request: pytest.FixtureRequest, model_of, bridge_of) -> Model:
    """A tiny Llama in both model classes (under transformer-lens 4 there is only the bridge)."""
    if request.param == "hooked" and not HAS_HOOKED_TRANSFORMER:
        pytest.skip("transformer-lens 4 has no HookedTransformer")
    return model_of("llama") if request.param == "hooked" else bridge_of("llama")


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """24 sentences, aligned over four languages and three scripts."""
    return Corpus.from_texts(TEXTS, aligned=True, name="fixture")


@pytest.fixture
def unchecked(monkeypatch):
    """What a user sees: no type checker in front of the package's own messages."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property, which Hypothesis draws within one test."""
    return tmp_path_factory.mktemp("property")
