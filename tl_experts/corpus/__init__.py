"""Sentences: language codes, the `Corpus`, and readers for the layouts that people have.

A source becomes a corpus in steps: a file or folder (`decoding`, `tables`, `layouts`) or an object (`frames`) gives
rows (`records`, `known`), and rows give checked sentences (`cells`).
"""

from tl_experts.corpus.identify import Mislabelled, Suspect
from tl_experts.corpus.languages import language_code
from tl_experts.corpus.options import Columns
from tl_experts.corpus.pairs import Pairs, Paraphrases, load_pairs, load_paraphrases
from tl_experts.corpus.readers import load_sentences
from tl_experts.corpus.sentences import Corpus

__all__ = [
    "Columns",
    "Corpus",
    "Mislabelled",
    "Pairs",
    "Paraphrases",
    "Suspect",
    "language_code",
    "load_pairs",
    "load_paraphrases",
    "load_sentences",
]
