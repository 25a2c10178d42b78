"""Experts on the Hugging Face Hub: uploaded with a card, downloaded as they were, against a server on this machine."""

import json
import os
import subprocess
import sys

import pytest

from tests.experts.by_hand import assert_same, example
from tests.experts.hub_server import TOKEN, serving
from tl_experts.errors import ArtefactError
from tl_experts.experts.card import card
from tl_experts.experts.experts import Experts
from tl_experts.experts.hub import is_repository, upload


@pytest.fixture
def experts() -> Experts:
    return example()


ONLINE = {
    "push": "print(Experts.from_pretrained('saved').push_to_hub('me/es-experts', model='org/model', corpus='FLORES'))",
    "pull": "Experts.from_pretrained('me/es-experts', token='hf_other').save_pretrained('back')",
    "local": "print(Experts.from_pretrained('me/there').counts)",
    "local, revision": "Experts.from_pretrained('me/there', revision='v1')",
    "push private": "Experts.from_pretrained('saved').push_to_hub('me/private', private=True)",
    "pull private": "Experts.from_pretrained('me/private', token='hf_other')",
    "pull private, token": "print(Experts.from_pretrained('me/private', revision='main').total)",
    "no repository": "Experts.from_pretrained('me/nothing')",
    "no revision": "Experts.from_pretrained('me/es-experts', revision='v9')",
    "another repository": "Experts.from_pretrained('me/full')",
    "wrong token": "Experts.from_pretrained('saved').push_to_hub('me/full', token='hf_other')",
}
OFFLINE = {
    "cached": "Experts.from_pretrained('me/es-experts').save_pretrained('cached')",
    "not cached": "Experts.from_pretrained('me/nothing')",
    "push offline": "Experts.from_pretrained('saved').push_to_hub('me/full')",
}
SCRIPT = """
import contextlib, io, json, sys
from tl_experts import Experts
from tl_experts.errors import ArtefactError
said = {}
for name, code in json.loads(sys.argv[1]).items():
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            exec(code)
        except ArtefactError as error:
            print(error)
    said[name] = out.getvalue().strip()
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def hub():
    with serving() as server:
        server.repositories["me/there"] = {"experts.json": b"{}"}
        server.repositories["me/full"] = {"config.json": b"{}"}
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the user works: saved experts, a folder named like a repository."""
    made = tmp_path_factory.mktemp("work")
    example().save_pretrained(made / "saved")
    example().save_pretrained(made / "me" / "there")
    return made


@pytest.fixture(scope="module")
def said(hub, folder):
    """What a user's Python prints line by line: online, then offline; with the address of our hub and no other."""

    def run(lines: dict[str, str], **environment: str) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        own |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(folder / "hf"), "HF_TOKEN": TOKEN} | environment
        command = [sys.executable, "-c", SCRIPT, json.dumps(lines)]
        done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run(ONLINE) | run(OFFLINE, HF_HUB_OFFLINE="1")


def test_experts_come_back_from_the_hub_as_they_went(said, hub, folder, experts):
    assert said["push"] == f"{hub.address}/me/es-experts"
    files = hub.repositories["me/es-experts"]
    assert set(files) == {"README.md", "experts.json", "experts.safetensors"}
    version = json.loads(files["experts.json"])["tl_experts"]
    expected = card(experts, "me/es-experts", model="org/model", corpus="FLORES", version=version)
    assert files["README.md"].decode() == expected
    assert_same(Experts.from_pretrained(folder / "back"), experts)
    assert said["pull"] == ""


def test_experts_that_were_downloaded_once_are_there_without_a_network(said, folder, experts):
    assert said["cached"] == ""
    assert_same(Experts.from_pretrained(folder / "cached"), experts)


def test_a_local_path_wins_over_a_repository_of_the_same_name(said, hub, experts):
    assert said["local"] == str(experts.counts)
    assert not [line for line in hub.asked if "me/there" in line]
    assert "revision is 'v1', but me/there is a path on this machine" in said["local, revision"]


def test_a_private_repository_needs_the_token(said, hub):
    assert hub.private == {"me/private"}
    assert "log in with `hf auth login`" in said["pull private"]
    assert said["pull private, token"] == "4"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("no repository", ("'me/nothing' is not a file or folder here", "check the name")),
        ("no revision", ("'me/es-experts'", "could not be downloaded")),
        ("another repository", ("'me/full' on the Hugging Face Hub has no experts.json and no experts.safetensors",)),
        ("wrong token", ("'me/full' could not be written", "401", "log in")),
        ("not cached", ("'me/nothing'", "could not be downloaded")),
        ("push offline", ("'me/full' could not be written", "offline")),
    ],
)
def test_what_the_hub_refuses_is_an_error_that_names_the_repository(said, line, words):
    for word in words:
        assert word in said[line]


@pytest.mark.parametrize("name", ["experts", "a/b/c", "", "a b/c", "../x"])
def test_only_owner_and_name_make_a_repository(name, tmp_path):
    assert is_repository("me/es-experts_1.0")
    if name != "../x":
        assert not is_repository(name)
        with pytest.raises(ArtefactError, match="expected 'user/repo'"):
            upload(tmp_path, name, private=False, token=None, message="")
