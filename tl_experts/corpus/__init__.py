"""Sentences: language codes, the `Corpus`, and readers for the layouts that people have.

Inner order: `languages` and `bundled`, `sentences`, `readers`, `pairs`.
"""

from tl_experts.corpus.languages import language_code
from tl_experts.corpus.pairs import Pairs, Paraphrases, load_pairs, load_paraphrases
from tl_experts.corpus.readers import load_sentences
from tl_experts.corpus.sentences import Corpus

__all__ = ["Corpus", "Pairs", "Paraphrases", "language_code", "load_pairs", "load_paraphrases", "load_sentences"]
