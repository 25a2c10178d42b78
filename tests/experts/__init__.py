"""Tests of `tl_experts.experts`."""
