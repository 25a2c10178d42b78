"""Made-up GPUs: tensors that claim to lie on ``madeup:0``, ``madeup:1``..., computed by the CPU.

As on real GPUs, an operation on tensors of different devices raises an error, and only a copy (`Tensor.to`) moves a
tensor from one device to another. The numbers are real, so results of two such devices can be compared with one CPU's.
"""

import inspect
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

from tl_experts.models.lens import HookedTransformer

NAME = "madeup"
"""A name that no test uses as an unknown device: PyTorch knows it from now on."""

_COPIES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default, torch.ops.aten.copy.default}


class _TensorType(type(torch.Tensor)):  # type: ignore[misc]
    """transformer_lens asks whether ``type(x) == torch.Tensor``; a real GPU's tensors say yes."""

    def __eq__(cls, other: object) -> bool:
        return other is torch.Tensor or other is cls

    __hash__ = type.__hash__


class OnDevice(torch.Tensor, metaclass=_TensorType):
    """A CPU tensor that claims another device."""

    @staticmethod
    def __new__(cls, held: torch.Tensor, device: torch.device) -> "OnDevice":
        return torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=device,
        )

    def __init__(self, held: torch.Tensor, device: torch.device) -> None:
        self.held = held

    def __repr__(self) -> str:  # type: ignore[override]
        return f"OnDevice({self.held}, {self.device})"

    def tolist(self) -> Any:
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Devices(TorchDispatchMode):
    """Creates tensors on a made-up GPU where one is requested."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_flatten((args, kwargs))[0] if isinstance(leaf, torch.Tensor)]
    # As on a GPU, a number (a tensor without dimensions) may come from the CPU.
    places = {tensor.device for tensor in tensors if tensor.ndim or tensor.device.type != "cpu"}
    if len(places) > 1 and func not in _COPIES:
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, found {sorted(map(str, places))}")
    asked = kwargs.get("device")
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu"), "pin_memory": False}
        if func is not torch.ops.aten._to_copy.default:
            kwargs.pop("pin_memory")
    if func in (torch.ops.aten.copy_.default, torch.ops.aten.copy.default):
        place = tensors[0].device
    elif asked is not None:
        place = torch.device(asked)
    else:
        place = next(iter(places), torch.device("cpu"))
    if place.type == NAME and place.index is None:
        place = torch.device(NAME, 0)
    bare_args, bare_kwargs = tree_map(_bare, (args, kwargs))
    if func is torch.ops.aten._to_copy.default and place.type == "cpu":
        bare_kwargs.pop("pin_memory", None)
    found = func(*bare_args, **bare_kwargs)
    if place.type == "cpu":
        return found
    # An operation in place returns the tensor that it was given, not a new one.
    given = {id(tensor.held): tensor for tensor in tensors if isinstance(tensor, OnDevice)}
    return tree_map(lambda leaf: _claim(leaf, place, given), found)


def _bare(leaf: Any) -> Any:
    return leaf.held if isinstance(leaf, OnDevice) else leaf


def _claim(leaf: Any, place: torch.device, given: dict[int, OnDevice]) -> Any:
    if not isinstance(leaf, torch.Tensor) or isinstance(leaf, OnDevice):
        return leaf
    return given.get(id(leaf)) if id(leaf) in given else OnDevice(leaf, place)


class _Module(_DummyBackendModule):
    """PyTorch's view of the device: none is available, because other tests run in this process as well."""

    def is_available(self) -> bool:
        return False

    def device_count(self) -> int:
        return 0


_setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
_KERNELS = torch.library.Library("aten", "IMPL", "PrivateUse1")


def _empty(size: Any, *args: Any, device: Any = None, dtype: Any = None, **_: Any) -> OnDevice:
    """Some operations create tensors without passing through a dispatch mode."""
    strides = args[0] if args else None
    held = torch.empty(size, dtype=dtype) if strides is None else torch.empty_strided(size, strides, dtype=dtype)
    return OnDevice(held, torch.device(device))


def _copy_from(source: Any, target: Any, non_blocking: bool = False) -> Any:
    _bare(target).copy_(_bare(source))
    return target


for _name, _kernel in (("empty.memory_format", _empty), ("empty_strided", _empty), ("_copy_from", _copy_from)):
    _KERNELS.impl(_name, _kernel)


def _no_grad(mode: bool = True) -> AbstractContextManager[None]:
    """Replaces `torch.inference_mode`."""
    return torch.no_grad() if mode else nullcontext()


@contextmanager
def made_up_gpus() -> Iterator[None]:
    """As many made-up GPUs as are requested, inside the block."""
    # In inference mode, Python cannot dispatch tensors that were created outside it.
    with ExitStack() as stack:
        stack.enter_context(mock.patch("torch.inference_mode", _no_grad))
        if HookedTransformer is not None:
            generate = torch.no_grad()(inspect.unwrap(HookedTransformer.generate))
            stack.enter_context(mock.patch.object(HookedTransformer, "generate", generate))
        stack.enter_context(_Devices())
        yield
