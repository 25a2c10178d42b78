"""Tests of `tl_experts.study.stages`."""
