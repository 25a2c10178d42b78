"""tl-experts: find, steer and study the language experts of multilingual LLMs, on TransformerLens.

    from tl_experts import load_model, load_sentences, find_experts, steer

    model = load_model("polyglot-mini")
    sentences = load_sentences("bundled", split="dev")
    experts = find_experts(model, sentences, k=200)
    with steer(model, experts["es"]):
        print(model.generate("To open a file,", max_new_tokens=30))

Names are imported on first use, so that `import tl_experts` stays fast.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tl_experts.embeddings import Embeddings, embed
    from tl_experts.errors import TLExpertsError
    from tl_experts.expertise import Expertise, score_responses
    from tl_experts.experts import Experts
    from tl_experts.inspector import Inspection, inspect
    from tl_experts.interventions import intervention_hooks, steer
    from tl_experts.models import available_models, load_model
    from tl_experts.readers import load_sentences
    from tl_experts.report import write_report
    from tl_experts.responses import Responses, collect_responses, responses_from_cache
    from tl_experts.retrieval import top1_accuracy
    from tl_experts.selection import find_experts, select_experts
    from tl_experts.sentences import Corpus
    from tl_experts.spreading import store_embeddings
    from tl_experts.store import ResponseStore, StoredResponses, merge_stores
    from tl_experts.streaming import store_responses
    from tl_experts.study import StudyConfig, StudyResult, run_study

__version__ = "0.1.0"

_HOME = {
    "Corpus": "sentences",
    "Embeddings": "embeddings",
    "Expertise": "expertise",
    "Inspection": "inspector",
    "Experts": "experts",
    "ResponseStore": "store",
    "Responses": "responses",
    "StoredResponses": "store",
    "StudyConfig": "study",
    "StudyResult": "study",
    "TLExpertsError": "errors",
    "available_models": "models",
    "collect_responses": "responses",
    "embed": "embeddings",
    "find_experts": "selection",
    "inspect": "inspector",
    "intervention_hooks": "interventions",
    "load_model": "models",
    "merge_stores": "store",
    "load_sentences": "readers",
    "responses_from_cache": "responses",
    "run_study": "study",
    "score_responses": "expertise",
    "select_experts": "selection",
    "steer": "interventions",
    "store_embeddings": "spreading",
    "store_responses": "streaming",
    "top1_accuracy": "retrieval",
    "write_report": "report",
}

__all__ = [  # noqa: RUF022 (in the order of use)
    "load_model",
    "available_models",
    "load_sentences",
    "Corpus",
    "find_experts",
    "select_experts",
    "Experts",
    "collect_responses",
    "responses_from_cache",
    "Responses",
    "store_responses",
    "merge_stores",
    "store_embeddings",
    "ResponseStore",
    "StoredResponses",
    "score_responses",
    "Expertise",
    "steer",
    "intervention_hooks",
    "embed",
    "Embeddings",
    "top1_accuracy",
    "inspect",
    "Inspection",
    "run_study",
    "StudyConfig",
    "StudyResult",
    "write_report",
    "TLExpertsError",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tl_experts' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"tl_experts.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
