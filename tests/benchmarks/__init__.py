"""The benchmark: `python -m tests.benchmarks [--model NAME] [--device cpu] [--jobs 1 2 ...]`.

Every row is one job: our time, the time of a reference on the same input, run alternately in the same process, their
ratio, and the target. It is never a timed test, so a busy machine cannot fail a build.
"""
