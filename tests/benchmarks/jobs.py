"""Jobs 1 to 8, 12, 15 and 16: scoring, collecting, finding, generating, retrieving, resampling, predicting."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from tests.benchmarks.inputs import LANGUAGES, Setting
from tests.benchmarks.references import (
    bootstrap_by_hand,
    bucketed_names_filter,
    padded_cache_of_everything,
    sklearn_pool,
)
from tests.benchmarks.timing import Row, in_turn, peak_of, row_of, seconds
from tl_experts import Batching, Reading, collect_both, collect_responses, find_experts, steer
from tl_experts.analysis import statistics
from tl_experts.analysis.retrieval import all_pair_ranks
from tl_experts.corpus.bundled import data_folder
from tl_experts.experts.auroc import score
from tl_experts.models import lean_passes, text_batches
from tl_experts.steering.generation import _text, generate_texts, text_perplexity

SAMPLE = 300
"""Neurons that scikit-learn is timed on."""

PADDED = 24
"""Sentences that the published recipe is timed on."""

RETRIEVED = (22, 1_012, 4_096)
"""Languages, sentences, dimensions: FLORES-200's devtest by an 8B model."""


def _of_its_time(setting: Setting) -> dict[str, Any]:
    """The options of a row whose ratio is the share of the reference's time, on the device of the model."""
    return {"direction": "of its time", "pairs": setting.pairs, "device": setting.device}


def _pool() -> ProcessPoolExecutor:
    # Spawned, not forked: a fork copies the threads of torch and numba in an undefined state.
    return ProcessPoolExecutor(2, mp_context=get_context("spawn"))


def scoring(setting: Setting) -> Row:
    """AUROC and AP of every neuron against scikit-learn's."""
    values, labels = setting.responses
    part = values[:, :SAMPLE]
    with _pool() as pool:
        return in_turn(
            1,
            f"AUROC + AP, {setting.neurons:,} neurons x {setting.sentences:,} sentences x 6",
            lambda: score(values, labels, len(LANGUAGES)),
            lambda: sklearn_pool(pool, part, labels, len(LANGUAGES)),
            target=150,
            direction="faster",
            pairs=setting.pairs,
            scale=values.shape[1] / part.shape[1],
            note=f"scikit-learn over 2 processes, {part.shape[1]} neurons, scaled",
        )


def scoring_against_a_sort(setting: Setting) -> Row:
    """The same against torch's sort of the matrix."""
    values, labels = setting.responses
    by_neuron = torch.from_numpy(np.ascontiguousarray(values.T))
    return in_turn(
        2,
        "the same",
        lambda: score(values, labels, len(LANGUAGES)),
        lambda: torch.sort(by_neuron, dim=1),
        target=0.3,
        direction="of its time",
        pairs=setting.pairs,
        note="one torch.sort with indices, neurons contiguous",
    )


def collecting(setting: Setting) -> Row:
    """Responses of all layers against the bare body on the same batches."""
    model, body = setting.model, setting.body
    batches = text_batches(model, setting.corpus.texts, Batching(truncate=True))

    def bare() -> None:
        with torch.inference_mode():
            for batch in batches:
                body(input_ids=batch.tokens.to(setting.device), use_cache=False)

    return in_turn(
        3,
        f"responses of {len(setting.corpus):,} sentences",
        lambda: collect_responses(
            model, setting.corpus, reading=Reading(batching=Batching(truncate=True)), progress=False
        ),
        bare,
        target=1.0,
        **_of_its_time(setting),
        note="Hugging Face's body, same batches, tokens ready, no hooks",
    )


def finding(setting: Setting) -> Row:
    """`find_experts` from text against the published recipe."""
    model, corpus = setting.model, setting.corpus
    texts = corpus.texts[:: len(corpus) // PADDED][:PADDED]
    return _finding(
        4,
        f"find_experts from text, 6 languages x {setting.rows}",
        setting,
        lambda: padded_cache_of_everything(model, texts, 8),
        # The recipe runs every language's positives and negatives, that is, all sentences, once per language.
        scale=len(LANGUAGES) * len(corpus) / len(texts),
        target=45,
        note=f"padded to 128, everything cached, a run a language; {len(texts)} sentences and {SAMPLE} neurons, scaled",
    )


def finding_plainly(setting: Setting) -> Row:
    """The same against a good plain version."""
    return _finding(
        5,
        "the same",
        setting,
        lambda: bucketed_names_filter(setting.model, setting.corpus),
        target=4,
        note=f"length buckets, names_filter, one run; scikit-learn on {SAMPLE} neurons, scaled",
    )


def _finding(
    number: int, job: str, setting: Setting, passes: Callable[[], object], *, target: float, note: str, scale: float = 1
) -> Row:
    """`find_experts` against passes (scaled) and scikit-learn over a pool (timed on some neurons, scaled)."""
    model, corpus = setting.model, setting.corpus
    labels = np.array([LANGUAGES.index(label) for label in corpus.labels])
    values = np.random.default_rng(0).standard_normal((len(corpus), SAMPLE), dtype=np.float32)
    neurons = model.cfg.n_layers * model.cfg.d_mlp
    with _pool() as pool:

        def ours() -> None:
            find_experts(model, corpus, reading=Reading(batching=Batching(truncate=True)), progress=False)

        def scores() -> None:
            sklearn_pool(pool, values, labels, len(LANGUAGES))

        for warm_up in (ours, passes, scores):
            warm_up()
        times = [
            (
                seconds(ours, setting.device),
                seconds(passes, setting.device) * scale + seconds(scores) * neurons / SAMPLE,
            )
            for _ in range(setting.pairs)
        ]
        peak = peak_of(ours, setting.device)
    return row_of(number, job, times, target=target, direction="faster", note=note, peak=peak)


def _generate(setting: Setting, **options: Any) -> torch.Tensor:
    """8 texts of 48 tokens, as the package generates."""
    prompt = torch.full((8, 4), 5, device=setting.device)
    with lean_passes(setting.model):
        tokens: torch.Tensor = setting.model.generate(
            prompt, max_new_tokens=48, stop_at_eos=False, verbose=False, use_past_kv_cache=True, **options
        )
    return tokens


def generating(setting: Setting) -> Row:
    """Steered generation against unsteered: both generate equally many tokens, so times compare."""
    model = setting.model
    experts = find_experts(
        model, setting.corpus.head(60), k=500, reading=Reading(batching=Batching(truncate=True)), progress=False
    )["de"]

    def generate() -> None:
        _generate(setting)

    def steered() -> None:
        with steer(model, experts):
            generate()

    torch.manual_seed(0)
    return in_turn(
        6,
        "generation, 500 experts steered, 8 texts x 48 tokens",
        steered,
        generate,
        target=1.02,
        **_of_its_time(setting),
        note="the same without steering",
    )


def generating_plainly(setting: Setting) -> Row:
    """Greedy generation against Hugging Face's `generate`: the same tokens."""
    theirs = setting.hugging_face
    theirs.generation_config.eos_token_id = None  # both write all 48 tokens
    prompt = torch.full((8, 4), 5, device=setting.device)
    options = {"max_new_tokens": 48, "do_sample": False, "attention_mask": torch.ones_like(prompt)}

    def reference() -> torch.Tensor:
        tokens: torch.Tensor = theirs.generate(prompt, **options)
        return tokens

    if not torch.equal(_generate(setting, do_sample=False), reference()):
        raise AssertionError("the two generate different tokens")
    return in_turn(
        6,
        "generation, unsteered, greedy, 8 texts x 48 tokens",
        lambda: _generate(setting, do_sample=False),
        reference,
        target=1.2,
        **_of_its_time(setting),
        note="Hugging Face's generate, the same tokens",
    )


def retrieving(setting: Setting, measure: str = "cosine") -> Row:
    """Ranks of every ordered pair against the matrix products alone."""
    languages, sentences, dimensions = RETRIEVED
    generator = torch.Generator().manual_seed(0)
    vectors = {
        f"l{index}": torch.nn.functional.normalize(torch.randn(sentences, dimensions, generator=generator)).to(
            setting.device
        )
        for index in range(languages)
    }

    def products() -> None:
        # The reverse of a pair is its transpose, so one product per pair is enough.
        for one, other in combinations(vectors, 2):
            vectors[one] @ vectors[other].T

    return in_turn(
        7,
        f"top-1 of all pairs, {languages} languages x {sentences:,} x {dimensions:,}, {measure}",
        lambda: all_pair_ranks(vectors, measure=measure),  # type: ignore[arg-type]
        products,
        target=1.5 if measure == "cosine" else 2.5,
        **_of_its_time(setting),
        note="the matrix products alone, each unordered pair once",
    )


def retrieving_by_csls(setting: Setting) -> Row:
    """The same by CSLS."""
    return retrieving(setting, "csls")


def resampling(setting: Setting) -> Row:
    """Bootstrap intervals of 462 accuracies against a plain loop."""
    hits = (np.random.default_rng(0).random((462, 1_012)) < 0.4).astype(np.float32)
    part = hits[:8]

    def ours() -> None:
        statistics._draws.cache_clear()  # the draws are part of the work
        np.quantile(statistics.bootstrap_means(hits, seed=0, resamples=1_000), [0.025, 0.975], axis=1)

    return in_turn(
        8,
        "bootstrap intervals of 462 accuracies, 1,000 resamples",
        ours,
        lambda: bootstrap_by_hand(part, 1_000),
        target=50,
        direction="faster",
        pairs=setting.pairs,
        scale=len(hits) / len(part),
        note=f"plain NumPy loop, {len(part)} accuracies, scaled",
    )


def counting(setting: Setting) -> Row:
    """Responses and all statistics of tokens against the responses alone."""
    reading = Reading(batching=Batching(truncate=True))
    return in_turn(
        12,
        f"all statistics of {len(setting.corpus):,} sentences",
        lambda: collect_both(setting.model, setting.corpus, reading=reading, progress=False),
        lambda: collect_responses(setting.model, setting.corpus, reading=reading, progress=False),
        target=1.15,
        **_of_its_time(setting),
        note="max pooling alone",
    )


def sampling(setting: Setting) -> Row:
    """Sampled texts against the model's own `generate`: the same texts."""
    model, new = setting.model, 24
    prompt = model.to_tokens("The", prepend_bos=True).repeat(16, 1)
    options = {"max_new_tokens": new, "stop_at_eos": False, "verbose": False, "top_p": 0.9}

    def ours() -> list[str]:
        return generate_texts(model, 16, seed=0, prompt="The", max_new_tokens=new, progress=False)

    def reference() -> torch.Tensor:
        torch.manual_seed(0)
        tokens: torch.Tensor = model.generate(prompt, **options)
        return tokens

    if ours() != [_text(model, row) for row in reference()[:, -new:].tolist()]:
        raise AssertionError("the two write different texts")
    return in_turn(
        15,
        f"sampled texts, 16 of {new} tokens, top-p 0.9",
        ours,
        reference,
        target=1.0,
        **_of_its_time(setting),
        note="the model's own generate, the same texts",
    )


def predicting(setting: Setting) -> Row:
    """The perplexity of a long text against the logits of all its tokens."""
    model = setting.model
    whole = (data_folder() / "corpus" / "text" / "es.txt").read_text("utf-8")
    ids = model.tokenizer(whole, add_special_tokens=False)["input_ids"][: model.cfg.n_ctx - 16]
    text = model.tokenizer.decode(ids)
    tokens = model.to_tokens(text, prepend_bos=True)

    def reference() -> float:
        with torch.inference_mode():
            logs = model(tokens)[0, :-1].log_softmax(-1)
            return float(-logs.gather(-1, tokens[0, 1:, None]).mean())

    return in_turn(
        16,
        f"perplexity of a text of {tokens.shape[1]:,} tokens",
        lambda: text_perplexity(model, text, progress=False),
        reference,
        target=1.0,
        **_of_its_time(setting),
        note="the model's own pass and log_softmax of all logits",
    )


JOBS: dict[str, Callable[[Setting], Row]] = {
    "1": scoring,
    "2": scoring_against_a_sort,
    "3": collecting,
    "4": finding,
    "5": finding_plainly,
    "6": generating,
    "6hf": generating_plainly,
    "7": retrieving,
    "7csls": retrieving_by_csls,
    "8": resampling,
    "12": counting,
    "15": sampling,
    "16": predicting,
}
