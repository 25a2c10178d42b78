"""Mask files of LAPE: for each language, for each layer, the indices of neurons, as ``torch.save`` writes them.

Such a file holds a pickle. It is read by PyTorch's restricted unpickler (``weights_only``), which builds tensors and
plain containers and calls nothing else, and only from the uncompressed zip archive that ``torch.save`` writes: what is
read is never larger than the file.
"""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from tl_experts.errors import ArtefactError
from tl_experts.jobs.files import read_bytes
from tl_experts.jobs.paths import user_path

_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)


def read_masks(path: str | Path, *, most: int) -> list[list[list[int]]]:
    """The indices in a mask file, ``[language][layer][neuron]``.

    Args:
        path: the file.
        most: the largest number of neurons that a layer has.

    Raises:
        ArtefactError: the file cannot be read, or does not hold lists of lists of index tensors.
    """
    source = user_path(path)
    content = read_bytes(source)
    _require_plain_archive(content, source)
    try:
        found = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch's reader raises many kinds on a damaged file
        reason = str(error).strip().partition("\n")[0]
        raise ArtefactError(
            f"{source} cannot be read as data alone ({reason:.200}); save it again by torch.save"
        ) from error
    if not isinstance(found, list | tuple) or not all(isinstance(layers, list | tuple) for layers in found):
        raise ArtefactError(
            f"{source} holds {type(found).__name__}; expected for each language a list of layers' tensors"
        )
    return [
        [_indices(indices, f"{source}: language {at}, layer {layer}", most) for layer, indices in enumerate(layers)]
        for at, layers in enumerate(found)
    ]


def _indices(indices: Any, where: str, most: int) -> list[int]:
    if not isinstance(indices, torch.Tensor):
        raise ArtefactError(f"{where} is {type(indices).__name__}; expected a tensor, the indices of neurons")
    if indices.layout != torch.strided or indices.is_meta or indices.ndim != 1:
        raise ArtefactError(f"{where} has shape {tuple(indices.shape)}; expected one axis, the indices of neurons")
    if len(indices) > most:
        raise ArtefactError(f"{where} has {len(indices)} indices; a layer of the model has {most} neurons at most")
    if len(indices) and indices.dtype not in _INTEGERS:
        raise ArtefactError(f"{where} is {indices.dtype}; expected whole numbers, the indices of neurons")
    found: list[int] = indices.tolist()
    return found


def _require_plain_archive(content: bytes, source: Path) -> None:
    """Refuse anything but an uncompressed zip archive: nothing in it may grow as it is read."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            compressed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{source} is not a file that torch.save wrote ({error}); save it again") from error
    if compressed:
        raise ArtefactError(f"{source} is a compressed archive; expected a file that torch.save wrote")
