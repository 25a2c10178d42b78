"""Responses: one number per sentence and neuron, from one pass of the model, in memory or on disk.

Inner order: `neurons` (what the columns are) and `reading` (what is read), `collect` (in memory) and
`sketch` (bins), `exact` (activations that fit), `token_statistics` (counts and sums over tokens), `token_sums` (their
hooks), `kept_sums` (on disk), `statistics_pass` and `random_tokens` (a control), `store` (the folder),
`collect_to_disk`.
"""

from tl_experts.responses.collect import Responses, collect_responses, responses_from_cache
from tl_experts.responses.collect_to_disk import store_responses
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.random_tokens import collect_random_statistics
from tl_experts.responses.reading import Reading
from tl_experts.responses.statistics_pass import collect_both, collect_for_steering, collect_statistics
from tl_experts.responses.store import ResponseStore, StoredResponses, merge_stores
from tl_experts.responses.token_statistics import TokenStatistics

__all__ = [
    "NeuronTable",
    "Reading",
    "ResponseStore",
    "Responses",
    "StoredResponses",
    "TokenStatistics",
    "collect_both",
    "collect_for_steering",
    "collect_random_statistics",
    "collect_responses",
    "collect_statistics",
    "merge_stores",
    "responses_from_cache",
    "store_responses",
]
