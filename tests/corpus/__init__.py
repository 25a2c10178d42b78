"""Tests of `tl_experts.corpus`."""
