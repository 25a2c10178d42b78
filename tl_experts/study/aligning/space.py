"""`AlignmentSpace`: what `tune_alignment` combines."""

from dataclasses import dataclass

from tl_experts.embeddings.embeddings import Layer, block_numbers
from tl_experts.errors import require_whole
from tl_experts.models import Model
from tl_experts.steering.positions import Positions
from tl_experts.steering.tuning.space import SearchSpace
from tl_experts.study.spaces import every_layer


@dataclass(frozen=True)
class AlignmentSpace(SearchSpace):
    """The settings that `tune_alignment` tries, and the layers whose embeddings it compares.

    Raises:
        TLExpertsError: an option that is not defined, or no combination.

    Examples:
        >>> space = AlignmentSpace(scorings=("lape",), counts=(5,), embedding_layers=(4, None))
        >>> print(space.settings()[0])
        5 by lape, set 0.1 x mean, all positions
    """

    counts: tuple[int, ...] = (5, 20, 50, 100, 200, 500)

    positions: tuple[Positions, ...] = ("all",)
    """Settings of ``"generated"`` tokens and numbers of tokens are passed over: in an embedding, the former change
    nothing and the latter are ``"all"``."""

    embedding_layers: tuple[Layer, ...] | None = None
    """As in `embed_layers`: block numbers, None for the last hidden state. Not given: every block, and the last hidden
    state."""

    def __post_init__(self) -> None:
        """Check the options of settings, and that layers are whole numbers, each once."""
        super().__post_init__()
        if self.embedding_layers is not None:
            found = [layer if layer is None else require_whole(layer, "layer") for layer in self.embedding_layers]
            object.__setattr__(self, "embedding_layers", tuple(dict.fromkeys(found)))

    def layers_read(self, model: Model) -> list[Layer]:
        """The layers whose embeddings are compared.

        Raises:
            SiteError: a layer that the model does not have.
        """
        layers = every_layer(model) if self.embedding_layers is None else list(self.embedding_layers)
        block_numbers(model, layers)
        return layers
