"""The stages of a study: each takes the bench and gives tables."""
