"""Tests of `tl_experts.embeddings`."""
