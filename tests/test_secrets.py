"""No key, token or password is committed."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

SECRETS = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY",
    "Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}",
    "PyPI token": r"\bpypi-[A-Za-z0-9_-]{50,}",
    "AWS key": r"\bAKIA[0-9A-Z]{16}\b",
    "Slack token": r"\bxox[abprs]-[0-9A-Za-z-]{20,}",
    "OpenAI or Anthropic key": r"\bsk-[A-Za-z0-9_-]{30,}",
    "password in an address": r"https?://[^/\s:@]+:[^/\s:@]+@",
}
EXAMPLES = {
    "private key": "-----BEGIN RSA PRIVATE" + " KEY-----",
    "Hugging Face token": "hf_" + "a1" * 17,
    "GitHub token": "ghp_" + "a1" * 18,
    "PyPI token": "pypi-" + "a1" * 40,
    "AWS key": "AKIA" + "A1" * 8,
    "Slack token": "xoxb-" + "12" * 12,
    "OpenAI or Anthropic key": "sk-" + "a1" * 20,
    "password in an address": "https://me" + ":word@host",
}


def committed() -> list[Path]:
    """The files that git tracks; empty outside a git checkout."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = run.stdout.split("\0") if run.returncode == 0 else []
    return [ROOT / name for name in names if (ROOT / name).is_file()]


@pytest.mark.parametrize("kind", SECRETS)
def test_no_secret_is_committed(kind: str) -> None:
    pattern = re.compile(SECRETS[kind])
    assert pattern.search(EXAMPLES[kind])  # the pattern finds what it is for
    files = committed()
    if not files:
        pytest.skip("not a git checkout")
    held = [path for path in files if path.suffix not in {".safetensors", ".png"}]
    assert [path for path in held if pattern.search(path.read_text("utf-8", errors="replace"))] == []
