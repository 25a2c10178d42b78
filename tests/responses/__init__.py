"""Tests of `tl_experts.responses`."""
