"""Byte-level BPE over the training text."""

from collections.abc import Iterable
from typing import Any

from help_text import Paragraph

DOCUMENT = "<|document|>"
"""Begins every document; the tokenizer's BOS, EOS and padding token."""


def train_tokenizer(paragraphs: Iterable[Paragraph], size: int, window: int) -> Any:
    """A byte-level BPE as a Hugging Face fast tokenizer, BOS added in front of every text.

    Digits are single tokens, so that numbers cost the same in every language.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[DOCUMENT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        # Chinese and Japanese have no spaces: a whole clause would become one token.
        max_token_length=16,
        show_progress=False,
    )
    texts = (text for paragraph in paragraphs for text in paragraph.text.values())
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{DOCUMENT} $A", special_tokens=[(DOCUMENT, tokenizer.token_to_id(DOCUMENT))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=DOCUMENT,
        eos_token=DOCUMENT,
        pad_token=DOCUMENT,
        model_max_length=window,
        clean_up_tokenization_spaces=False,
    )
