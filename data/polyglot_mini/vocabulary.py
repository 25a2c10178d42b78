"""Byte-level BPE over the training text."""

from collections.abc import Iterable
from typing import Any

from help_text import Paragraph

DOCUMENT = "<|document|>"
"""Starts every document; the tokenizer's BOS and EOS."""
PADDING = "<|padding|>"
"""Added after training, see `add_padding`."""
_NEVER = "ÿ"
"""The token of byte 0xFF, which does not occur in UTF-8 text."""


def train_tokenizer(paragraphs: Iterable[Paragraph], size: int, window: int) -> Any:
    """A byte-level BPE as a Hugging Face fast tokenizer that puts BOS in front of every text.

    Each digit is one token, so that numbers have the same length in every language.
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
        model_max_length=window,
        clean_up_tokenization_spaces=False,
    )


def add_padding(tokenizer: Any, model: Any) -> None:
    """Give tokenizer and model a padding token.

    Training uses no padding. TransformerLens needs a padding token other than BOS: otherwise it takes a prompt of BOS
    alone for padding and generates from an empty prompt. The embedding is that of a byte that never occurs, so the
    token is as unlikely to be generated.
    """
    import torch

    tokenizer.add_special_tokens({"pad_token": PADDING})
    never = tokenizer.convert_tokens_to_ids(_NEVER)
    row = model.get_input_embeddings().weight[never].detach().clone()
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        model.get_input_embeddings().weight[tokenizer.pad_token_id] = row
    for config in (model.config, model.generation_config):
        config.pad_token_id = tokenizer.pad_token_id
