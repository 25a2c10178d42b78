"""A fuzzer of everything that reads a file: `python -m tests.fuzzing`, and a short form in the normal test run."""

READERS = tuple(
    f"tl_experts.{name}"
    for name in (
        *("experts", "inspector.runs", "inspector.saved", "languages", "pairs", "readers", "sentences", "shards"),
        *("storage", "store", "study.config", "study.result"),
    )
)
"""Modules whose lines the fuzzer counts. Not the kernels: numba compiles no counted code."""
