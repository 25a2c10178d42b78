"""Which of several processes this one is, by the word of what started them: torchrun, or SLURM's srun."""

import os

from tl_experts.errors import TLExpertsError

_LAUNCHERS = (("RANK", "WORLD_SIZE", "LOCAL_RANK"), ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"))
"""The variables of each launcher: number among all, how many, number on this machine. torchrun may run under srun."""


def launched_part() -> tuple[int, int]:
    """(i, n): this process is the i-th, from 1, of n.

    Raises:
        TLExpertsError: nothing that we know of has started it, or what it says makes no sense.
    """
    for number, count, _ in _LAUNCHERS:
        if number in os.environ and count in os.environ:
            found = os.environ[number], os.environ[count]
            try:
                part = int(found[0]) + 1, int(found[1])
            except ValueError as error:
                raise TLExpertsError(f"{number}={found[0]!r}, {count}={found[1]!r} are no numbers") from error
            if not 1 <= part[0] <= part[1]:
                raise TLExpertsError(f"{number}={found[0]} is not among {count}={found[1]}; expected 0 to one less")
            return part
    raise TLExpertsError("neither torchrun nor srun has started this process; say which part it is, such as 1/4")


def launched_device(count: int) -> str | None:
    """The GPU of this process: the processes of a machine take them in turn; None without a launcher or a GPU.

    Args:
        count: of the GPUs that it sees.
    """
    local = next((os.environ[local] for *_, local in _LAUNCHERS if local in os.environ), "")
    return f"cuda:{int(local) % count}" if local.isdecimal() and count else None
