"""Rank of this process, from torchrun's or SLURM's environment variables."""

import os

from tl_experts.errors import TLExpertsError

_LAUNCHERS = (("RANK", "WORLD_SIZE", "LOCAL_RANK"), ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"))
"""The variables of each launcher: rank, number of processes, rank on this machine. torchrun may run under srun."""


def launched_part() -> tuple[int, int]:
    """(i, n): this process is the i-th of n, counted from 1.

    Raises:
        TLExpertsError: neither launcher has started this process, or its variables are not a rank and a count.
    """
    for rank, count, _ in _LAUNCHERS:
        if rank in os.environ and count in os.environ:
            found = os.environ[rank], os.environ[count]
            try:
                part = int(found[0]) + 1, int(found[1])
            except ValueError as error:
                raise TLExpertsError(f"{rank}={found[0]!r}, {count}={found[1]!r} are not numbers") from error
            if not 1 <= part[0] <= part[1]:
                raise TLExpertsError(f"{rank}={found[0]} is out of range; expected 0 to {count} - 1 = {part[1] - 1}")
            return part
    raise TLExpertsError(
        "neither torchrun nor srun has started this process; say which part it computes, for example 1/4"
    )


def launched_device(count: int) -> str | None:
    """The GPU of this process: processes of a machine take its GPUs in turn. None without a launcher or a GPU.

    Args:
        count: number of GPUs that this process sees.
    """
    local = next((os.environ[local] for *_, local in _LAUNCHERS if local in os.environ), "")
    return f"cuda:{int(local) % count}" if local.isdecimal() and count else None
