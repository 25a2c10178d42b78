"""The kernel of expertise: AUROC and average precision of many scores for many classes, from one sort of each.

For one neuron, the responses are turned into 64-bit keys: the order-preserving bits of the float above the label of the
language. A radix sort orders the keys by the float, without an index array. One walk down the sorted keys then gives,
for every language at once,

- AUROC = P(positive > negative) + P(positive = negative) / 2, the Mann-Whitney statistic: ties count half;
- average precision = sum over thresholds of (recall step x precision), tied scores form one threshold, as in
  scikit-learn's `average_precision_score`;
- mean, median and 90th percentile (NumPy's linear interpolation) of the positives, mean of the negatives.

Counts are integers and sums float64, so the results equal scikit-learn's up to the rounding of the float32 result.

This is the hot path of scoring: NumPy and numba only, no einops.
"""

import inspect
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

STATISTICS = ("auroc", "ap", "mean", "median", "p90", "negative_mean")
"""The statistics, in the order of the result's first axis."""

OPTIONAL = ("score", "token_mean", "token_negative_mean")
"""Columns that some experts also have: what they were ranked by, where that is neither AUROC nor AP; where statistics
of tokens were collected, the mean activation over the language's tokens and over those of all other languages."""

_QUANTILES = (0.5, 0.9)
_CHUNK_BYTES = 1 << 20  # keys of a chunk stay in a core's second-level cache
_MIN_WIDTH = 16  # neurons of a chunk: a cache line of float32


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel once and cache it on disk; it runs without the interpreter's lock."""
    # Shape checks of a test run wrap every function of the package; numba compiles only the unwrapped one.
    kernel: Callable[..., Any] = numba.njit(nogil=True, cache=True)(inspect.unwrap(function))
    return kernel


class ByColumns(Protocol):
    """Responses that are read in chunks of neurons."""

    @property
    def shape(self) -> tuple[int, int]:
        """Sentences and neurons."""
        ...

    def columns(self, start: int, stop: int) -> Array:
        """``[sentence neuron]``, float32, for a range of neurons; called from several threads."""
        ...


def score(
    values: Array | ByColumns,
    labels: Array,
    languages: int,
    *,
    threads: int | None = None,
    advance: Callable[[int], object] | None = None,
) -> Array:
    """Score every column of a matrix for every label.

    Args:
        values: float32, ``[sentence neuron]``, or an object that reads them by neurons; no NaN, but
            infinities are allowed.
        labels: the language of each sentence, 0 to ``languages - 1``; at least two, and each occurs.
        languages: number of languages.
        threads: default: the number of cores that this process may use.
        advance: called with the number of neurons that were scored, for a progress bar.

    Returns:
        float32, ``[statistic neuron language]``, statistics as in `STATISTICS`.

    Raises:
        FloatingPointError: with the row and the column of a NaN.
    """
    sentences, neurons = values.shape
    counts = np.bincount(labels, minlength=languages).astype(np.int64)
    ranks = _quantile_ranks(counts)
    out = np.empty((len(STATISTICS), neurons, languages), dtype=np.float32)
    width = max(_MIN_WIDTH, _CHUNK_BYTES // (8 * max(1, sentences)))
    starts = range(0, neurons, width)
    labels = labels.astype(np.uint64)
    workers = threads or _cores()
    # New memory for every chunk would cost as much as turning the responses into keys.
    buffers: SimpleQueue[Array] = SimpleQueue()
    for _ in range(workers):
        buffers.put(np.empty((min(width, neurons) + 1, sentences), dtype=np.uint64))

    def work(start: int) -> None:
        stop = min(start + width, neurons)
        block = values[:, start:stop] if isinstance(values, np.ndarray) else values.columns(start, stop)
        buffer = buffers.get()
        keys, spare = buffer[: stop - start], buffer[-1]
        try:
            bad: int = _build_keys(block, labels, keys)
            if bad >= 0:
                raise FloatingPointError(bad // (stop - start), start + bad % (stop - start))
            _sort(keys, spare)
            _walk(keys, counts, *ranks, out[:, start:stop])
        finally:
            buffers.put(buffer)

    with ThreadPoolExecutor(workers) as pool:
        for start, _ in zip(starts, pool.map(work, starts), strict=True):
            if advance is not None:
                advance(min(width, neurons - start))
    return out


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quantile_ranks(counts: Array) -> tuple[Array, Array, Array]:
    """The ranks of the two positives around each quantile, and the weight between them.

    Returns:
        For each language the ranks from the top, ascending, and one that is never reached; the index among them of the
        lower and the upper neighbour of each quantile; the weight of the upper.
    """
    targets = np.empty((len(counts), 2 * len(_QUANTILES)), dtype=np.int64)
    fractions = np.empty((len(counts), len(_QUANTILES)), dtype=np.float64)
    for language, count in enumerate(counts):
        for q, quantile in enumerate(_QUANTILES):
            rank = quantile * (count - 1)
            low = int(np.floor(rank))
            high = min(low + 1, count - 1)
            targets[language, 2 * q] = count - 1 - low
            targets[language, 2 * q + 1] = count - 1 - high
            fractions[language, q] = rank - low
    order = np.argsort(targets, axis=1, kind="stable")
    ranks = np.column_stack((np.take_along_axis(targets, order, axis=1), counts))
    return ranks, np.argsort(order, axis=1), fractions


@_compiled
def _build_keys(values: Array, labels: Array, keys: Array) -> int:
    """Fill ``keys[neuron, sentence]``; returns the flat index of the first NaN, or -1."""
    sentences, neurons = values.shape
    for i in range(sentences):
        bits = (values[i] + np.float32(0.0)).view(np.uint32)  # adding 0 makes -0.0 the 0.0 it equals
        for j in range(neurons):
            b = bits[j]
            if (b & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000):
                return int(i * neurons + j)
            flipped = b ^ (np.uint32(0xFFFFFFFF) if b >> np.uint32(31) else np.uint32(0x80000000))
            keys[j, i] = (np.uint64(flipped) << np.uint64(32)) | labels[i]
    return -1


@_compiled
def _sort(keys: Array, spare: Array) -> None:
    """Sort each neuron's keys by their upper half: one pass over the keys for each of its bytes, the lowest first.

    Four times as fast as comparing, and it keeps the order of equal values.

    Args:
        keys: ``[neuron, sentence]``, sorted in place.
        spare: as long as a row; overwritten.
    """
    neurons, sentences = keys.shape
    byte = np.uint64(0xFF)
    starts = np.empty((4, 256), np.uint32)
    for n in range(neurons):
        row = keys[n]
        starts[:] = 0
        for i in range(sentences):
            for digit in range(4):
                starts[digit, (row[i] >> np.uint64(32 + 8 * digit)) & byte] += np.uint32(1)
        for digit in range(4):
            start = np.uint32(0)
            for value in range(256):
                count = starts[digit, value]
                starts[digit, value] = start
                start += count
        for digit in range(4):
            source, target = (row, spare) if digit % 2 == 0 else (spare, row)
            for i in range(sentences):
                key = source[i]
                value_of_byte = (key >> np.uint64(32 + 8 * digit)) & byte
                target[starts[digit, value_of_byte]] = key
                starts[digit, value_of_byte] += np.uint32(1)


@_compiled
def _mark(language: int, value: float, above: int, targets: Array, due: Array, goal: Array, marks: Array) -> None:
    """Note the value at each target of a language that its positives so far have reached."""
    while goal[language] < above:
        marks[language, due[language]] = value
        due[language] += 1
        goal[language] = targets[language, due[language]]


@_compiled
def _walk(keys: Array, counts: Array, targets: Array, indices: Array, fractions: Array, out: Array) -> None:
    """Walk each neuron's sorted keys from the top, one group of equal values at a time."""
    neurons, sentences = keys.shape
    languages = counts.shape[0]
    low_word = np.uint64(0xFFFFFFFF)
    above = np.zeros(languages, np.int64)  # positives with a higher response
    here = np.zeros(languages, np.int64)  # positives in this group
    due = np.zeros(languages, np.int64)  # the index of the next target
    goal = np.zeros(languages, np.int64)  # the next target: looking it up at each response takes a sixth of the walk
    wins = np.zeros(languages, np.float64)
    precision = np.zeros(languages, np.float64)
    sums = np.zeros(languages, np.float64)
    marks = np.zeros(targets.shape, np.float64)
    word = np.zeros(1, np.uint32)
    decoded = word.view(np.float32)
    for n in range(neurons):
        row = keys[n]
        above[:] = 0
        due[:] = 0
        goal[:] = targets[:, 0]
        wins[:] = 0.0
        precision[:] = 0.0
        sums[:] = 0.0
        top = sentences - 1
        while top >= 0:
            bits = row[top] >> np.uint64(32)
            seen = sentences - 1 - top
            b = np.uint32(bits)
            word[0] = b ^ (np.uint32(0x80000000) if b >> np.uint32(31) else np.uint32(0xFFFFFFFF))
            value = np.float64(decoded[0])
            bottom = top - 1
            if bottom < 0 or row[bottom] >> np.uint64(32) != bits:  # a group of one, as most are: no ties to count
                language = row[top] & low_word
                mine = above[language]
                wins[language] += (sentences - counts[language]) - (seen - mine)
                mine += 1
                above[language] = mine
                precision[language] += mine / (seen + 1)
                sums[language] += value
                _mark(language, value, mine, targets, due, goal, marks)
                top = bottom
                continue
            while bottom >= 0 and row[bottom] >> np.uint64(32) == bits:
                bottom -= 1
            size = top - bottom
            for i in range(bottom + 1, top + 1):
                here[row[i] & low_word] += 1
            for i in range(bottom + 1, top + 1):
                language = row[i] & low_word
                mine = here[language]
                if mine == 0:
                    continue  # this language's part of the group has been counted
                here[language] = 0
                others = size - mine
                negatives_below = (sentences - counts[language]) - (seen - above[language]) - others
                wins[language] += mine * (negatives_below + 0.5 * others)
                above[language] += mine
                precision[language] += mine * (above[language] / (seen + size))
                sums[language] += mine * value
                _mark(language, value, above[language], targets, due, goal, marks)
            top = bottom
        for language in range(languages):
            positives = counts[language]
            negatives = sentences - positives
            rest = 0.0
            for other in range(languages):
                if other != language:
                    rest += sums[other]
            out[0, n, language] = wins[language] / (np.float64(positives) * np.float64(negatives))
            out[1, n, language] = precision[language] / positives
            out[2, n, language] = sums[language] / positives
            for q in range(fractions.shape[1]):
                low = marks[language, indices[language, 2 * q]]
                high = marks[language, indices[language, 2 * q + 1]]
                weight = fractions[language, q]
                # Weighted so that an infinity next to the quantile does not make it NaN (0 x inf, inf - inf).
                middle = low if weight == 0.0 or low == high else (1.0 - weight) * low + weight * high
                out[3 + q, n, language] = middle
            out[5, n, language] = rest / negatives
