"""A fuzzer of all code that reads files: `python -m tests.fuzzing`; a short form is part of the test suite."""

READERS = (
    *(f"tl_experts.corpus.{name}" for name in ("languages", "pairs", "readers", "sentences")),
    *(f"tl_experts.jobs.{name}" for name in ("arrays", "artefacts", "files", "job", "paths", "pieces")),
    *("tl_experts.responses.store", *(f"tl_experts.experts.{name}" for name in ("experts", "masks", "own", "saved"))),
    *(f"tl_experts.study.{name}" for name in ("config", "result", "aligning.result", "aligning.trials")),
    *(f"tl_experts.study.comparison.{name}" for name in ("config", "result")),
    *(f"tl_experts.steering.tuning.{name}" for name in ("result", "space", "trials")),
    *("tl_experts.pages.inspector.runs", "tl_experts.pages.inspector.saved"),
)
"""Modules whose lines the fuzzer counts. The scoring kernels are left out: numba cannot compile instrumented code."""
