"""Tests of `tl_experts.plots`."""
