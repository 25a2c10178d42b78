"""Models: loading, hook names, the one forward loop. The only package that imports transformer_lens.

Names are imported on first use: the catalogue is there without PyTorch, so that the command line refuses a mistyped
name at once.
"""

from typing import TYPE_CHECKING, Any

import tl_experts

if TYPE_CHECKING:
    from tl_experts.models.batches import Batching
    from tl_experts.models.catalogue import ModelEntry, available_models
    from tl_experts.models.decoding import Decoder
    from tl_experts.models.evaluation import evaluating
    from tl_experts.models.forward import forward_batches
    from tl_experts.models.hooks import (
        SITES,
        Hook,
        HookFunction,
        Model,
        attached,
        hook_name,
        require_hooks,
        require_model,
        require_no_hooks,
        require_site,
    )
    from tl_experts.models.identity import (
        Fingerprint,
        explain_model_difference,
        fingerprint_difference,
        model_fingerprint,
        require_same_model,
        warn_if_processed,
    )
    from tl_experts.models.lean import lean_passes
    from tl_experts.models.loading import load_model
    from tl_experts.models.passes import PassTracker, track_passes
    from tl_experts.models.sites import site_widths
    from tl_experts.models.source import ModelLike, ModelSource, as_model, model_source
    from tl_experts.models.tokens import text_batches, text_pieces, token_policy
    from tl_experts.models.weights import MLP_SITES, promoted_logits, read_scores, reading_cosines, written_directions

__all__ = [
    "MLP_SITES",
    "SITES",
    "Batching",
    "Decoder",
    "Fingerprint",
    "Hook",
    "HookFunction",
    "Model",
    "ModelEntry",
    "ModelLike",
    "ModelSource",
    "PassTracker",
    "as_model",
    "attached",
    "available_models",
    "evaluating",
    "explain_model_difference",
    "fingerprint_difference",
    "forward_batches",
    "hook_name",
    "lean_passes",
    "load_model",
    "model_fingerprint",
    "model_source",
    "promoted_logits",
    "read_scores",
    "reading_cosines",
    "require_hooks",
    "require_model",
    "require_no_hooks",
    "require_same_model",
    "require_site",
    "site_widths",
    "text_batches",
    "text_pieces",
    "token_policy",
    "track_passes",
    "warn_if_processed",
    "written_directions",
]


def __getattr__(name: str) -> Any:
    return tl_experts.public_name(name, __name__, __file__)
