"""Folders appear whole or not at all, and locks end with their process."""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.jobs.helpers import files
from tests.messages import says
from tl_experts.errors import ArtefactError
from tl_experts.jobs.files import write_json
from tl_experts.jobs.folders import build_folder, locked


def test_a_folder_is_built_next_to_its_target(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "built"

    def build(temporary: Path) -> None:
        assert temporary.parent == target.parent
        assert not list(temporary.iterdir())
        assert not target.exists()
        (temporary / "a").write_bytes(b"1")

    assert build_folder(target, build) == target
    assert files(tmp_path) == {"deep/built/a": b"1"}
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("error", [ZeroDivisionError, OSError, KeyboardInterrupt])
def test_a_build_that_fails_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    def build(temporary: Path) -> None:
        (temporary / "half").write_bytes(b"1")
        raise error("in the middle")

    with pytest.raises(error, match="in the middle"):
        build_folder(tmp_path / "built", build)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_kept(tmp_path: Path) -> None:
    def build(content: bytes) -> Callable[[Path], None]:
        return lambda temporary: (temporary / "a").write_bytes(content) and None

    build_folder(tmp_path / "built", build(b"first"))
    assert build_folder(tmp_path / "built", build(b"second")) == tmp_path / "built"
    assert files(tmp_path) == {"built/a": b"first"}
    assert [path.name for path in tmp_path.iterdir()] == ["built"]


def test_a_folder_built_by_many_at_once_is_the_work_of_one(tmp_path: Path) -> None:
    together = threading.Barrier(8, timeout=10)
    target = tmp_path / "built"

    def build(number: int) -> Path:
        def fill(temporary: Path) -> None:
            for i in range(5):
                (temporary / str(i)).write_text(str(number))
            together.wait()

        build_folder(target, fill)
        return target if len(list(target.iterdir())) == 5 else tmp_path

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(build, range(8))) == {target}
    written = files(tmp_path)
    assert set(written) == {f"built/{i}" for i in range(5)}
    assert len(set(written.values())) == 1
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_blocks_the_target_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"precious")
    for blocked in (tmp_path / "file", tmp_path / "file" / "built"):
        with pytest.raises(ArtefactError, match=says(str(blocked), "cannot be written", "choose a folder")):
            build_folder(blocked, lambda _: None)
    assert files(tmp_path) == {"file": b"precious"}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_second_process_cannot_enter_a_locked_folder(tmp_path):
    with locked(tmp_path / "run"):
        with pytest.raises(ArtefactError, match=r"another process is working in .*run; wait"), locked(tmp_path / "run"):
            pytest.fail("the lock did not hold")
        with locked(tmp_path / "other"):
            pass
    with locked(tmp_path / "run"):
        pass


def test_a_killed_process_loses_its_lock_and_its_half_written_file_is_removed(tmp_path):
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tl_experts.jobs.files import written\n"
        "from tl_experts.jobs.folders import locked\n"
        "with locked(sys.argv[1]), written(Path(sys.argv[1]) / 'a.json') as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert len(list(tmp_path.glob(".a.json-*"))) == 1
    with locked(tmp_path):
        write_json(tmp_path / "a.json", {"whole": True})
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "a.json"}
