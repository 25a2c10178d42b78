"""Arrays come back as they were written; other files raise an error before anything is mapped."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.messages import says
from tl_experts.errors import ArtefactError
from tl_experts.jobs.arrays import mapped_array, read_array, write_array
from tl_experts.jobs.files import checksum


def test_a_full_disk_leaves_the_old_array(tmp_path):
    script = (
        "import resource, signal, sys\n"
        "import numpy as np\n"
        "from tl_experts.errors import ArtefactError\n"
        "from tl_experts.jobs.arrays import write_array\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "write_array(sys.argv[1], np.arange(5))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    write_array(sys.argv[1], np.zeros(10**5))\n"
        "except ArtefactError as error:\n"
        "    sys.exit(0 if 'nothing was changed' in str(error) else 3)\n"
        "sys.exit(4)\n"
    )
    path = tmp_path / "a.npy"
    assert subprocess.run([sys.executable, "-c", script, str(path)], check=False).returncode == 0
    np.testing.assert_array_equal(np.load(path), np.arange(5))
    assert [found.name for found in tmp_path.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("dtype", ["float32", "int16", "float16"])
def test_an_array_comes_back_with_its_checksum(dtype: str, tmp_path: Path) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)[:, ::2]
    assert write_array(tmp_path / "a.npy", array) == checksum(tmp_path / "a.npy")
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy", (3, 2), dtype), array)


@pytest.mark.parametrize(("shape", "dtype"), [((2, 3), "float32"), ((3, 2), "float64")])
def test_another_shape_or_dtype_raises_an_error(shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    write_array(tmp_path / "a.npy", np.zeros((3, 2), dtype=np.float32))
    with pytest.raises(ArtefactError, match=says("a.npy", "float32 (3, 2)", f"expected {dtype} {shape}")):
        read_array(tmp_path / "a.npy", shape, dtype)


def test_a_missing_or_damaged_array_raises_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=says("a.npy", "cannot be read", "is the path right?")):
        read_array(tmp_path / "a.npy", (1,), "float32")
    (tmp_path / "a.npy").write_bytes(b"not an array")
    with pytest.raises(ArtefactError, match=says("a.npy", "is not a readable .npy file", "create it again")):
        read_array(tmp_path / "a.npy", (1,), "float32")


def test_a_mapped_array_is_zeros_that_can_be_written(tmp_path: Path) -> None:
    array = mapped_array(tmp_path / "a.npy", (2, 3))
    assert not array.any()
    array[1, 2] = 5
    array.flush()
    assert np.load(tmp_path / "a.npy")[1, 2] == 5
    with pytest.raises(ArtefactError, match="cannot be written"):
        mapped_array(tmp_path / "missing" / "a.npy", (2, 3))
