"""Tests of `tl_experts.analysis`."""
