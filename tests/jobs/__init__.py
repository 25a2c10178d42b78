"""Tests of `tl_experts.jobs`."""
