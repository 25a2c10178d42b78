"""The benchmark: `python -m tests.benchmarks [--model NAME] [--device cpu] [--jobs 1 2 ...]`.

Every row is a job: our time, the time of a reference on the same input in the same process run in turn, their ratio,
the target. Never a timed test: a busy machine makes no build fail.
"""
