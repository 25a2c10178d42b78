"""Paths from users and from names: ``~`` is expanded, and no name leads out of its folder."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tl_experts import Experts, ResponseStore, find_experts, merge_stores, store_embeddings, store_responses
from tl_experts.errors import ArtefactError, StudyError, TLExpertsError
from tl_experts.jobs.paths import LONGEST_NAME, path_of_name, require_name, user_path
from tl_experts.models.catalogue import cache_folder

BAD_NAMES = ("", ".", "..", "a/b", "/a", "../a", "a/../../b", "a\\b", "C:a", "a\0", "a\n", "\ud800", "é" * LONGEST_NAME)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert user_path("~/runs") == user_path(Path("~/runs")) == tmp_path / "runs"
    assert user_path("runs/~") == Path("runs/~")


@pytest.mark.parametrize(
    ("path", "message"), [(5, "5 is not a path"), (None, "None is not a path"), ("~nobody-at-all/runs", "home folder")]
)
def test_what_is_not_a_path_raises_an_error(path: object, message: str) -> None:
    with pytest.raises(TLExpertsError, match=message):
        user_path(path)


@pytest.mark.parametrize("name", ["a", "study-1.2 final", "日本語", "~", "...", "a" * LONGEST_NAME])
def test_a_name_is_a_path_inside_the_folder(name: str, tmp_path: Path) -> None:
    path = path_of_name(tmp_path, name, ".json")
    assert path.parent == tmp_path
    path.write_text("{}")
    assert [found.name for found in tmp_path.iterdir()] == [f"{name}.json"]


@pytest.mark.parametrize("name", [*BAD_NAMES, 5, None], ids=lambda name: repr(name)[:12])
def test_a_name_that_could_lead_out_of_the_folder_raises_an_error(name: object, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="cannot be the name of a file"):
        path_of_name(tmp_path, name)
    with pytest.raises(StudyError, match=r"^name .* cannot be the name of a file"):
        require_name(name, "name", StudyError)


@settings(max_examples=200)
@given(st.text(st.sampled_from("ab./\\:~\0 é"), max_size=8))
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    folder = Path("/some/folder")
    try:
        path = path_of_name(folder, name)
    except ArtefactError:
        return
    assert path.parent == folder
    assert ".." not in path.parts


def test_no_call_creates_a_folder_named_tilde(llama, corpus, tmp_path, monkeypatch):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TL_EXPERTS_CACHE", "~/cache")
    monkeypatch.chdir(work)
    experts = find_experts(llama, corpus, k=5, folder="~/find", progress=False)
    for name in ("experts", "experts.safetensors"):
        experts.save_pretrained(f"~/{name}")
        assert Experts.from_pretrained(f"~/{name}").counts == experts.counts
    store_responses(llama, corpus, "~/responses", progress=False)
    assert merge_stores(["~/responses"]).shape == ResponseStore("~/responses").responses().shape
    store_embeddings(llama, corpus, "~/embeddings", progress=False)
    assert cache_folder() == home / "cache"
    assert {path.name for path in home.iterdir()} == {
        "find",
        "experts",
        "experts.safetensors",
        "responses",
        "embeddings",
    }
    assert not list(work.iterdir())
