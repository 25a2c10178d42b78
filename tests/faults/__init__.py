"""Killing runs: `python -m tests.faults [--kills 40] [--jobs find study ...]`.

Each job is a process that is killed by SIGKILL at random moments and restarted in the same folder until it ends. Its
results must then equal those of an undisturbed run. This is repeated until there were enough kills.
"""
