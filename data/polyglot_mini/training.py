"""The model, its optimisers and the training loop, which resumes exactly after an interruption."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from documents import Documents, Mixture
from torch import nn

from tl_experts.errors import ArtefactError, TLExpertsError
from tl_experts.jobs.artefacts import load_artefact, save_artefact

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Settings:
    """Everything besides text and mixture that determines the weights."""

    vocabulary: int = 8192
    width: int = 256
    layers: int = 8
    heads: int = 4
    neurons: int = 896
    """Per layer."""

    window: int = 256
    """Tokens in the model's context."""

    batch: int = 16
    """Windows per step."""

    steps: int = 7000
    warmup: int = 100
    decay: float = 0.4
    """Share of the steps, at the end, over which the learning rates fall linearly to zero."""

    muon_rate: float = 0.005
    """Peak learning rate of the matrices inside the layers (Muon, update scaled to AdamW's size)."""

    adamw_rate: float = 0.003
    """Peak learning rate of embedding and norms (AdamW)."""

    weight_decay: float = 0.05
    seed: int = 1
    bfloat16: bool = True
    """Matrix products in bfloat16 (weights stay float32): several times faster where the processor has AMX."""


def build_model(settings: Settings) -> Any:
    """A Llama-like decoder with tied embeddings and random weights that the seed determines."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(settings.seed)
    config = LlamaConfig(
        vocab_size=settings.vocabulary,
        hidden_size=settings.width,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        intermediate_size=settings.neurons,
        max_position_embeddings=settings.window,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        # Hugging Face starts this token's embedding at zero and learns it as an output only; `add_padding` comes later.
        pad_token_id=0,
        # On a CPU and for so short a window, compiled plain attention is faster than the fused kernel.
        attn_implementation="eager",
    )
    return LlamaForCausalLM(config)


def build_optimizers(model: nn.Module, settings: Settings) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al., 2024) for the matrices inside the layers, AdamW for the rest."""
    if not hasattr(torch.optim, "Muon"):
        raise TLExpertsError(f"training needs torch 2.9 or later for its Muon; this is {torch.__version__}")
    matrices = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and ".layers." in name]
    inside = {id(weight) for weight in matrices}
    rest = [weight for weight in model.parameters() if id(weight) not in inside]
    return [
        torch.optim.Muon(
            matrices,
            lr=settings.muon_rate,
            weight_decay=settings.weight_decay,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(rest, lr=settings.adamw_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def rate_at(step: int, settings: Settings) -> float:
    """Factor of the learning rates: linear warm-up, constant, linear decay to zero.

    >>> [rate_at(step, Settings(steps=10, warmup=2, decay=0.4)) for step in (0, 1, 5, 6, 8, 9)]
    [0.5, 1.0, 1.0, 1.0, 0.5, 0.25]
    """
    falling = max(1, round(settings.steps * settings.decay))
    return min((step + 1) / max(1, settings.warmup), 1.0, (settings.steps - step) / falling)


def train(
    model: Any,
    documents: Documents,
    settings: Settings,
    folder: Path,
    *,
    device: torch.device,
    every: int = 100,
    compiled: bool = True,
    watch: Callable[[int, list[float]], None] | None = None,
) -> list[float]:
    """Train, resuming from the folder's checkpoint if there is one.

    Args:
        model: from `build_model`; a checkpoint replaces its weights.
        documents: source of the windows.
        settings: must equal those of the checkpoint.
        folder: holds the checkpoint, which is replaced atomically every `every` steps.
        device: where to train.
        every: steps between checkpoints.
        compiled: compile the step (takes a minute, then about doubles the speed).
        watch: called after each step with the number of steps done and the losses so far.

    Returns:
        The loss of every step, in nats per token.

    Raises:
        TLExpertsError: the checkpoint is damaged or was made with other settings.
    """
    optimizers = build_optimizers(model.to(device), settings)
    losses = _resume(folder, model, optimizers, settings, documents.mixture)
    step_loss = _loss_function(model, settings, device, compiled)
    for step in range(len(losses), settings.steps):
        factor = rate_at(step, settings)
        for optimizer, peak in zip(optimizers, (settings.muon_rate, settings.adamw_rate), strict=True):
            optimizer.param_groups[0]["lr"] = peak * factor
        windows = torch.from_numpy(documents.windows(step, settings.batch)).to(device)
        loss = step_loss(windows)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise TLExpertsError(f"the loss of step {step} is {losses[-1]}; lower muon_rate or adamw_rate")
        if (step + 1) % every == 0 or step + 1 == settings.steps:
            _save(folder, model, optimizers, settings, documents.mixture, losses)
        if watch is not None:
            watch(step + 1, losses)
    return losses


def _loss_function(model: Any, settings: Settings, device: torch.device, compiled: bool) -> Callable[..., torch.Tensor]:
    def loss(windows: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.bfloat16):
            states = model.model(windows, use_cache=False).last_hidden_state[:, :-1]
            logits = model.lm_head(states).flatten(0, 1)
        return nn.functional.cross_entropy(logits.float(), windows[:, 1:].flatten())

    return torch.compile(loss) if compiled else loss


def _named_states(model: nn.Module, optimizers: list[torch.optim.Optimizer]) -> Iterator[tuple[str, torch.Tensor]]:
    """The optimisers' states under the names of their weights."""
    names = {id(weight): name for name, weight in model.named_parameters()}
    for optimizer in optimizers:
        for weight, state in optimizer.state.items():
            for key, value in state.items():
                yield f"{key}:{names[id(weight)]}", value


def _save(
    folder: Path,
    model: nn.Module,
    optimizers: list[torch.optim.Optimizer],
    settings: Settings,
    mixture: Mixture,
    losses: list[float],
) -> None:
    tensors = dict(model.named_parameters()) | dict(_named_states(model, optimizers))
    arrays = {name: tensor.detach().float().cpu().numpy() for name, tensor in tensors.items()}
    # One file, so that weights, optimisers and losses belong to one step whenever the process dies.
    save_artefact(
        folder / CHECKPOINT,
        "checkpoint",
        arrays | {"losses": np.array(losses, np.float64)},
        {"settings": asdict(settings), "mixture": asdict(mixture)},
    )


def _resume(
    folder: Path, model: nn.Module, optimizers: list[torch.optim.Optimizer], settings: Settings, mixture: Mixture
) -> list[float]:
    if not (folder / CHECKPOINT).is_file():
        return []
    arrays = restore(folder, model, settings, mixture)
    weights = dict(model.named_parameters())
    owner = {id(weight): optimizer for optimizer in optimizers for weight in _weights(optimizer)}
    for key, array in arrays.items():
        kind, _, name = key.partition(":")
        if name:
            # AdamW counts its steps in a tensor that stays on the CPU.
            device = "cpu" if kind == "step" else weights[name].device
            owner[id(weights[name])].state[weights[name]][kind] = torch.from_numpy(array).to(device)
    return [float(loss) for loss in arrays["losses"]]


def restore(folder: Path, model: nn.Module, settings: Settings, mixture: Mixture | None = None) -> dict[str, Any]:
    """Load a checkpoint's weights into a model and return all its arrays.

    Raises:
        ArtefactError: it is missing, damaged, or made with other settings or another mixture.
    """
    path = folder / CHECKPOINT
    arrays, header = load_artefact(path, "checkpoint")
    made, wanted = header["settings"], asdict(settings)
    if mixture is not None:
        made, wanted = made | header["mixture"], wanted | asdict(mixture)
    if made != wanted:
        other = {key: value for key, value in made.items() if value != wanted.get(key)}
        raise ArtefactError(f"{path} was made with {other}; give the same options, or another --work folder")
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(torch.from_numpy(arrays[name]))
    return arrays


def _weights(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]
