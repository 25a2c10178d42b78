"""Folders on the Hugging Face Hub: one is uploaded, one is downloaded. Nothing here knows what is in them."""

import re
from collections.abc import Sequence
from pathlib import Path

from tl_experts.errors import ArtefactError

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def is_repository(name: object) -> bool:
    """Whether this could be the name of a repository, such as ``user/repo``; a `Path` never is.

    >>> is_repository("user/es-experts"), is_repository("experts"), is_repository("runs/es.safetensors")
    (True, False, False)
    """
    return isinstance(name, str) and bool(_REPOSITORY.fullmatch(name)) and not name.endswith(".safetensors")


def download(name: str, files: Sequence[str], *, revision: str | None = None, token: str | None = None) -> Path:
    """Download some files of a model repository, or find them in the hub's cache.

    Args:
        name: ``user/repo``.
        files: names of the files.
        revision: branch, tag or commit; None: the main branch.
        token: access token; None: the one that ``hf auth login`` saved, if any.

    Returns:
        The folder that holds them.

    Raises:
        ArtefactError: the repository cannot be reached, does not exist or lacks a file.
    """
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, revision=revision, token=token, allow_patterns=list(files)))
    except Exception as error:  # the hub's client raises many kinds, its own and those of its HTTP library
        raise ArtefactError(
            f"{name!r} is not a file or folder here, and it could not be downloaded from the Hugging Face Hub: "
            f"{_reason(error)}; check the name, or log in with `hf auth login`"
        ) from error
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise ArtefactError(f"{name!r} on the Hugging Face Hub has no {' and no '.join(missing)}; choose another")
    return folder


def upload(folder: Path, name: str, *, private: bool, token: str | None, message: str) -> str:
    """Upload a folder as one commit to a model repository, which is created if it does not exist.

    Args:
        folder: all of its files are uploaded.
        name: ``user/repo``.
        private: whether a new repository is private.
        token: access token; None: the one that ``hf auth login`` saved.
        message: of the commit.

    Returns:
        The address of the repository.

    Raises:
        ArtefactError: the name is not one of a repository, or the hub refuses.
    """
    from huggingface_hub import HfApi

    if not is_repository(name):
        raise ArtefactError(f"{name!r} is not the name of a repository on the hub; expected 'user/repo'")
    hub = HfApi(token=token)
    try:
        repository = hub.create_repo(name, private=private, exist_ok=True)
        hub.upload_folder(repo_id=name, folder_path=folder, commit_message=message)
    except Exception as error:  # as above
        raise ArtefactError(
            f"{name!r} could not be written to the Hugging Face Hub: {_reason(error)}; log in with `hf auth login`, or "
            "check that the name is yours"
        ) from error
    return str(repository)


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".:") if lines else type(error).__name__
