"""One model over several GPUs of one machine: which part of it lies where.

A `HookedTransformer` is cut into runs of blocks (``n_devices``), a `TransformerBridge` as Hugging Face's accelerate
does it (``n_devices`` or ``device_map``). Hooks see each layer's activations on that layer's device.
"""

from collections.abc import Mapping
from typing import Any

import torch

from tl_experts.errors import ModelError, require_choice
from tl_experts.models.lens import block_device

DeviceMap = str | Mapping[str, str | int]
"""Accelerate's: ``"auto"``, ``"balanced"``, ``"sequential"``, or the device of each module by its Hugging Face name."""

MAPS = ("auto", "balanced", "sequential")


def require_placement(device: torch.device | None, n_devices: int, device_map: DeviceMap | None) -> None:
    """Refuse a placement that this machine cannot have, before the long part.

    Args:
        device: the first one, or None where none was asked for.
        n_devices: how many GPUs.
        device_map: see `load_model`.

    Raises:
        ModelError: too few GPUs, none at all, or options that contradict each other.
    """
    if n_devices < 1:
        raise ModelError(f"n_devices is {n_devices}; expected 1 or more GPUs")
    if device_map is not None:
        _require_map(device, n_devices, device_map)
    if n_devices > 1:
        if device is not None and device.type != "cuda":
            raise ModelError(f"n_devices={n_devices} spreads a model over GPUs, not over device={str(device)!r}")
        there, first = torch.cuda.device_count() if torch.cuda.is_available() else 0, (device and device.index) or 0
        if first + n_devices > there:
            beginning = f", beginning with cuda:{first}" if first else ""
            raise ModelError(f"n_devices is {n_devices}{beginning}, but this machine has {there} GPUs; lower it")


def _require_map(device: torch.device | None, n_devices: int, device_map: DeviceMap) -> None:
    if device is not None or n_devices > 1:
        raise ModelError("device_map says where every part goes; leave out device and n_devices")
    if isinstance(device_map, str):
        require_choice(device_map, MAPS, "device_map", ModelError)
        if not torch.cuda.is_available():
            raise ModelError(f"device_map={device_map!r} needs GPUs, and this machine has none; leave it out")
        return
    names = [str(device) for device in device_map.values()]
    if not names:
        raise ModelError('device_map names no module; expected such as {"": "cuda:0"}, or "auto"')
    if {"disk", "meta"} & set(names) or ("cpu" in names and len(set(names)) > 1):
        raise ModelError(
            f"device_map mixes {', '.join(sorted(set(names)))}: weights kept on the CPU or the disk reach no hook; "
            "use GPUs only, or the CPU only"
        )


def spread_blocks(model: Any, n_devices: int) -> None:
    """Cut a `HookedTransformer` into runs of blocks, one a device, counted from its configuration's.

    Its own ``move_model_modules_to_device`` puts each block where most memory is free, while its pass sends the
    residual stream to the block's share of the devices: the two part company.

    Args:
        model: on the CPU.
        n_devices: how many devices, at most the number of blocks.

    Raises:
        ModelError: fewer blocks than devices.
    """
    cfg = model.cfg
    if n_devices > cfg.n_layers:
        raise ModelError(f"{cfg.model_name} has {cfg.n_layers} blocks, too few for n_devices={n_devices}; lower it")
    cfg.n_devices = n_devices
    first, last = block_device(0, cfg), block_device(cfg.n_layers - 1, cfg)
    for layer, block in enumerate(model.blocks):
        block.to(block_device(layer, cfg))
    for name, module in model.named_children():
        if name != "blocks":
            # What comes before the blocks is on the first device, what comes after them on the last.
            module.to(last if name in ("ln_final", "unembed") else first)


def dispatch(hf_model: Any, n_devices: int, device_map: DeviceMap | None, *, first: int = 0) -> Any:
    """Spread a Hugging Face model, which lies on the CPU, over devices.

    Args:
        hf_model: changed by it.
        n_devices: number of GPUs; only without a map.
        device_map: see `load_model`.
        first: the number of the first GPU.

    Raises:
        ModelError: the map does not fit the model, or the GPUs are too small for it.
    """
    from accelerate import dispatch_model, infer_auto_device_map
    from accelerate.utils import get_balanced_memory, get_max_memory

    whole = getattr(hf_model, "_no_split_modules", None) or []
    if isinstance(device_map, Mapping):
        places: Any = dict(device_map)
    else:
        count = n_devices if device_map is None else torch.cuda.device_count()
        there = get_max_memory()
        room = {gpu: there[gpu] for gpu in range(first, first + count)}
        if device_map != "sequential":
            room = get_balanced_memory(hf_model, room, no_split_module_classes=list(whole))
        places = infer_auto_device_map(hf_model, room, no_split_module_classes=list(whole))
        if {"cpu", "disk"} & set(map(str, places.values())):
            raise ModelError(f"the model does not fit {count} GPUs; use more, or dtype='bfloat16'")
    try:
        return dispatch_model(hf_model, places)
    except (ValueError, RuntimeError, AttributeError) as error:
        raise ModelError(f"device_map {places} does not fit the model: {error}") from error
