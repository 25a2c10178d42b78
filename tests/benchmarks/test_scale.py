"""The scale run: its sizes are known before it writes, and a slice of layers is scored as scikit-learn does."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.benchmarks.scale import LANGUAGES, build, measure, require_disk, stored_bytes


def test_the_size_on_disk_is_known_before_anything_is_written(tmp_path, monkeypatch):
    needed = stored_bytes(44_000, 32, 14_336, "float16")
    assert needed == 44_000 * 458_752 * 2
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=needed + 2e9))
    require_disk(tmp_path, needed)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=needed))
    with pytest.raises(SystemExit, match=r"take 40\.4 GB, .* has 40\.4 GB free; give another --folder, or fewer"):
        require_disk(tmp_path, needed)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads memory from /proc (Linux)")
def test_a_slice_over_22_languages_is_written_and_scored(tmp_path):
    assert len(set(LANGUAGES)) == 22
    store = build(tmp_path, 88, 1, 24, "float16", languages=22)
    found = measure(tmp_path, store)
    assert found["gigabytes"] * 1e9 >= stored_bytes(88, 1, 24, "float16")
    assert found["largest_error"] < 1e-6
    assert found["responses_per_s"] == pytest.approx(88 * 24 / found["scored_s"])
