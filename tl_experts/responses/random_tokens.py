"""Statistics of tokens over random token sequences: a control for neurons that respond to any text.

Sequences have the lengths of a corpus's sentences, and ids drawn uniformly from the vocabulary without its special
tokens. They are run as ids: decoded text would be tokenised differently.

Source: LangFIR (arXiv 2604.03532), whose features must not be active on random token sequences.
"""

import numpy as np

from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.errors import ModelError, ResponseError, require_least
from tl_experts.models import Model, ModelLike, as_model, model_fingerprint, token_policy
from tl_experts.models.batches import DEFAULT_BATCHING, Batching, first_indices, make_batches
from tl_experts.responses.collect import neuron_table, run_batches
from tl_experts.responses.reading import DEFAULT_READING, Reading
from tl_experts.responses.token_statistics import TokenStatistics
from tl_experts.responses.token_sums import TokenCounter, gate_site

RANDOM = "zxx"
"""The language of random sequences: the code for content that is not linguistic."""


def random_sequences(
    model: Model, sentences: Corpus, *, seed: int, batching: Batching = DEFAULT_BATCHING
) -> list[list[int]]:
    """One sequence of random token ids for each sentence, of as many tokens, BOS excepted.

    Args:
        model: the model whose vocabulary is drawn from.
        sentences: any corpus.
        seed: seed of the draw.
        batching: whether longer sentences than the context are cut.

    Raises:
        ResponseError: a negative seed.
        ModelError: a sentence without a token or longer than the context, or no ordinary token in the vocabulary.
    """
    require_least(seed, "seed", 0, ResponseError)
    policy = token_policy(model, prepend_bos=batching.prepend_bos)
    lengths = [len(ids) for ids in policy.encode(sentences.texts, truncate=batching.truncate)]
    # An embedding may have more rows than there are tokens: those were never trained.
    size = min(int(model.cfg.d_vocab), len(policy.tokenizer))
    ordinary = np.setdiff1d(np.arange(size), policy.tokenizer.all_special_ids)
    if not len(ordinary):
        raise ModelError(f"{model.cfg.model_name}: all {size} tokens of the vocabulary are special")
    drawn = np.random.default_rng(seed).choice(ordinary, size=sum(lengths))
    return [part.tolist() for part in np.split(drawn, np.cumsum(lengths)[:-1])]


def collect_random_statistics(
    model: ModelLike, sentences: Corpus, *, seed: int = 0, reading: Reading = DEFAULT_READING, progress: bool = True
) -> TokenStatistics:
    """`collect_statistics` over random token sequences of the lengths of a corpus's sentences.

    Args:
        model: as in `collect_statistics`.
        sentences: any corpus; only their numbers of tokens count.
        seed: seed of the draw.
        reading: as in `collect_statistics`.
        progress: show a progress bar, in tokens.

    Returns:
        Statistics of one language, ``"zxx"``.

    Raises:
        TLExpertsError: as in `collect_statistics`, or a negative seed.

    Examples:
        >>> from tl_experts import load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> sentences = load_sentences("bundled", split="dev", limit=10)
        >>> collect_random_statistics(model, sentences, progress=False).over_zero.shape
        (1, 7168)
    """
    loaded = as_model(model)
    require_corpus(sentences)
    neurons = neuron_table(loaded, reading)
    sequences = random_sequences(loaded, sentences, seed=seed, batching=reading.batching)
    written = tuple(" ".join(map(str, ids)) for ids in sequences)  # for messages and the fingerprint
    corpus = Corpus(written, (RANDOM,) * len(written), name="random tokens")
    counter = TokenCounter(corpus, neurons, reading.site, gate_site(loaded, reading.site))
    sums = counter.zeros()
    policy = token_policy(loaded, prepend_bos=reading.batching.prepend_bos)
    once = np.unique(first_indices(written)).tolist()
    batches = make_batches(sequences, policy, reading.batching, only=once)
    for _ in run_batches(
        loaded,
        batches,
        neurons=neurons,
        site=reading.site,
        readers=lambda batch: counter.readers(batch, sums),
        description="random tokens",
        progress=progress,
    ):
        pass
    return counter.statistics(sums, model_fingerprint(loaded))
