"""Tests of `tl_experts.cli`."""
