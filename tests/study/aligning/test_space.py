"""The space of a search for alignment: all tokens, and the layers whose embeddings are compared."""

import pytest

from tl_experts.errors import SiteError
from tl_experts.study import AlignmentSpace


def test_without_layers_all_are_read_and_each_once(model_of):
    model = model_of("llama")
    assert AlignmentSpace().layers_read(model) == [*range(model.cfg.n_layers), None]
    assert AlignmentSpace(embedding_layers=(1, None, 1)).layers_read(model) == [1, None]
    with pytest.raises(SiteError, match="layer 99"):
        AlignmentSpace(embedding_layers=(99,)).layers_read(model)


def test_language_vectors_of_single_layers_keep_the_layers_that_are_read():
    space = AlignmentSpace(embedding_layers=(2,)).for_layers(range(4))
    assert space.embedding_layers == (2,)
    assert space.vector_layers == (None, (0,), (1,), (2,))
    assert {setting.positions for setting in space.settings()} == {"all"}
