"""Killing runs: `python -m tests.faults [--kills 40] [--jobs find study ...]`.

Each job is a process that is killed by SIGKILL at random moments and started again in the same folder, until it ends;
then its results must be those of a run nobody disturbed, and begun again until enough kills are counted.
"""
