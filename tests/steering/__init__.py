"""Tests of `tl_experts.steering`."""
