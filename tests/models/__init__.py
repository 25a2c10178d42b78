"""Tests of `tl_experts.models`."""
