"""Tests of `tl_experts.pages.inspector`."""
