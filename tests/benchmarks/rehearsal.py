"""A rehearsal at the size of an 8B model, with random weights: `python -m tests.benchmarks.rehearsal`.

Writes a folder with a Llama in bfloat16, one shard a layer, then does with it what a user would: load, find experts
with responses on disk, generate while they are held, embed. Prints the seconds and the peak memory of every step. By
default the shapes are those of Llama-3-8B, its vocabulary included: 16.06 GB, on the disk and in memory.
"""

import argparse
import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.benchmarks.timing import resident
from tests.conftest import train_tokenizer
from tl_experts import Corpus, embed, find_experts, load_model, load_sentences, steer
from tl_experts.steering.generation import generate_texts

ROOM = 2 * 2**30
"""Bytes of memory that a step may take beside the weights, imported libraries included."""

LANGUAGES = ("en", "de", "fr", "ja")
CONTEXT = 2048
"""Positions. Tables of rotary frequencies grow with it; Llama-3's own 8,192 would add 0.1 GB."""


@dataclass(frozen=True)
class Shape:
    """The sizes of a Llama."""

    layers: int = 32
    width: int = 14_336
    """MLP neurons of a layer."""

    hidden: int = 4_096
    heads: int = 32
    key_value_heads: int = 8
    vocabulary: int = 128_256

    def layer(self, number: int) -> dict[str, tuple[int, ...]]:
        """The tensors of one layer, by their Hugging Face names."""
        narrow = self.hidden * self.key_value_heads // self.heads
        name = f"model.layers.{number}"
        return {
            f"{name}.input_layernorm.weight": (self.hidden,),
            f"{name}.self_attn.q_proj.weight": (self.hidden, self.hidden),
            f"{name}.self_attn.k_proj.weight": (narrow, self.hidden),
            f"{name}.self_attn.v_proj.weight": (narrow, self.hidden),
            f"{name}.self_attn.o_proj.weight": (self.hidden, self.hidden),
            f"{name}.post_attention_layernorm.weight": (self.hidden,),
            f"{name}.mlp.gate_proj.weight": (self.width, self.hidden),
            f"{name}.mlp.up_proj.weight": (self.width, self.hidden),
            f"{name}.mlp.down_proj.weight": (self.hidden, self.width),
        }

    def shards(self) -> Iterator[dict[str, tuple[int, ...]]]:
        """The tensors of each file: one a layer, one with the embeddings, one with the unembedding."""
        yield from map(self.layer, range(self.layers))
        yield {"model.embed_tokens.weight": (self.vocabulary, self.hidden), "model.norm.weight": (self.hidden,)}
        yield {"lm_head.weight": (self.vocabulary, self.hidden)}

    @property
    def bytes(self) -> int:
        """Of all weights in bfloat16."""
        return 2 * sum(math.prod(shape) for shard in self.shards() for shape in shard.values())


def write_model(folder: Path, shape: Shape) -> None:
    """Write a folder as Hugging Face would, never holding more than one shard."""
    from transformers import LlamaConfig

    tokenizer = train_tokenizer()
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        architectures=["LlamaForCausalLM"],
        dtype="bfloat16",
    )
    config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    index: dict[str, str] = {}
    for number, shapes in enumerate(shape.shards()):
        name = f"model-{number + 1:05d}-of-{shape.layers + 2:05d}.safetensors"
        generator = torch.Generator().manual_seed(number)
        save_file({key: _random(size, generator) for key, size in shapes.items()}, folder / name, {"format": "pt"})
        index |= dict.fromkeys(shapes, name)
    document = {"metadata": {"total_size": shape.bytes}, "weight_map": index}
    (folder / "model.safetensors.index.json").write_text(json.dumps(document), "utf-8")


def _random(size: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """A matrix that keeps the scale of what it is multiplied by; a norm's scales near 1."""
    values = torch.empty(size, dtype=torch.bfloat16)
    if len(size) == 1:
        return values.normal_(1, 0.1, generator=generator)
    return values.normal_(0, size[1] ** -0.5, generator=generator)


def short_sentences(per_language: int) -> Corpus:
    """The shortest sentences of the bundled corpus."""
    bundled = load_sentences("bundled", split="dev", languages=LANGUAGES)
    texts = {code: sorted(bundled[code].texts, key=len)[:per_language] for code in LANGUAGES}
    return Corpus.from_texts(texts, name="short")


class Steps:
    """What each step took."""

    def __init__(self) -> None:
        self.taken: dict[str, dict[str, float]] = {}

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        """Run a step and print its seconds, the peak of memory during it, and what is held after it, in MiB.

        ``anonymous`` leaves out pages of files, which the system takes back where memory is short.
        """
        Path("/proc/self/clear_refs").write_text("5")
        started = time.perf_counter()
        result = work()
        found = {
            "seconds": round(time.perf_counter() - started, 2),
            "peak_mib": round(resident("VmHWM"), 1),
            "held_mib": round(resident("VmRSS"), 1),
            "anonymous_mib": round(resident("RssAnon"), 1),
        }
        self.taken[name] = found
        sys.stdout.write(json.dumps({"step": name} | found) + "\n")
        sys.stdout.flush()
        return result


def rehearse(folder: Path, shape: Shape, per_language: int, tokens: int) -> dict[str, dict[str, float]]:
    """The steps of a user, after the model is written."""
    steps = Steps()
    corpus = short_sentences(per_language)
    steps("write", lambda: write_model(folder, shape))
    model = steps("load_model", lambda: load_model(folder, dtype="bfloat16"))
    responses = folder / "responses"
    experts = steps("find_experts", lambda: find_experts(model, corpus, k=500, folder=responses, progress=False))
    with steer(model, experts["de"]):
        writing = {"seed": 0, "max_new_tokens": tokens, "progress": False}
        steps("generate", lambda: generate_texts(model, 1, **writing))
        steps("embed", lambda: embed(model, corpus, progress=False))
    return steps.taken


def shortage(folder: Path, shape: Shape) -> str | None:
    """Why this machine cannot run it."""
    lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
    memory = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024
    disk = shutil.disk_usage(folder).free
    for what, there in (("memory", memory), ("disk", disk)):
        if there < shape.bytes + ROOM:
            return f"{what}: needs {(shape.bytes + ROOM) / 1e9:.1f} GB, {there / 1e9:.1f} GB are free; lower --layers"
    return None


def main() -> int:
    """Rehearse. Exit code 1 where loading took more than the weights and `ROOM`, 0 where the machine is too small."""
    parser = argparse.ArgumentParser(description=__doc__)
    for field, value in asdict(Shape()).items():
        parser.add_argument(f"--{field.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--sentences", type=int, default=64, help="of four languages together")
    parser.add_argument("--tokens", type=int, default=8, help="that are generated")
    parser.add_argument("--folder", type=Path, help="a folder on the disk to use; default: the temporary folder")
    arguments = parser.parse_args()
    shape = Shape(**{field: getattr(arguments, field) for field in asdict(Shape())})
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="rehearsal-") as name:
        if (reason := shortage(Path(name), shape)) is not None:
            sys.stdout.write(f"passed over, {reason}\n")
            return 0
        taken = rehearse(Path(name), shape, -(-arguments.sentences // len(LANGUAGES)), arguments.tokens)
    weights = shape.bytes / 2**20
    peak = taken["load_model"]["peak_mib"]
    sys.stdout.write(json.dumps({"weights_mib": round(weights, 1), "peak_over_weights_mib": round(peak - weights, 1)}))
    sys.stdout.write("\n")
    return int(peak > weights + ROOM / 2**20)


if __name__ == "__main__":
    sys.exit(main())
