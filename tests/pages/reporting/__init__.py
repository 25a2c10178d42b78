"""Tests of `tl_experts.pages.reporting`."""
