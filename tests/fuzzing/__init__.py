"""A fuzzer of everything that reads a file: `python -m tests.fuzzing`, and a short form in the normal test run."""
