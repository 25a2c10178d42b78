"""Sentence vectors of any layer, in memory or on disk, and an encoder for what takes one.

Inner order: `embeddings`, `passes`; `conditions`, `embed_to_disk`, `encoder`.
"""

from tl_experts.embeddings.conditions import embed_conditions
from tl_experts.embeddings.embed_to_disk import store_embeddings
from tl_experts.embeddings.embeddings import Embeddings, embed, embed_layers
from tl_experts.embeddings.encoder import Encoder

__all__ = ["Embeddings", "Encoder", "embed", "embed_conditions", "embed_layers", "store_embeddings"]
