"""Sentence vectors of any layer, in memory or on disk.

Inner order: `embeddings`, `embed_to_disk`.
"""

from tl_experts.embeddings.embed_to_disk import store_embeddings
from tl_experts.embeddings.embeddings import Embeddings, embed, embed_layers

__all__ = ["Embeddings", "embed", "embed_layers", "store_embeddings"]
