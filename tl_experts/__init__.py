"""tl-experts: find, steer and study the language experts of multilingual LLMs, on TransformerLens.

    from tl_experts import load_model, load_sentences, find_experts, steer

    model = load_model("polyglot-mini")
    sentences = load_sentences("bundled", split="dev")
    experts = find_experts(model, sentences, k=200)
    with steer(model, experts["es"]):
        print(model.generate("To open a file,", max_new_tokens=30))

Names are imported on first use, so that `import tl_experts` stays fast.
"""

import ast
import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tl_experts.analysis.retrieval import top1_accuracy as top1_accuracy
    from tl_experts.corpus.options import Columns as Columns
    from tl_experts.corpus.readers import load_sentences as load_sentences
    from tl_experts.corpus.sentences import Corpus as Corpus
    from tl_experts.embeddings.embed_to_disk import store_embeddings as store_embeddings
    from tl_experts.embeddings.embeddings import Embeddings as Embeddings
    from tl_experts.embeddings.embeddings import embed as embed
    from tl_experts.embeddings.encoder import Encoder as Encoder
    from tl_experts.errors import TLExpertsError as TLExpertsError
    from tl_experts.errors import TLExpertsWarning as TLExpertsWarning
    from tl_experts.experts.expertise import Expertise as Expertise
    from tl_experts.experts.expertise import score_responses as score_responses
    from tl_experts.experts.experts import Experts as Experts
    from tl_experts.experts.find import find_experts as find_experts
    from tl_experts.experts.find import select_experts as select_experts
    from tl_experts.experts.own import experts_from_list as experts_from_list
    from tl_experts.experts.own import experts_from_masks as experts_from_masks
    from tl_experts.jobs.workers import RayPool as RayPool
    from tl_experts.jobs.workers import RayWorkers as RayWorkers
    from tl_experts.models import Batching as Batching
    from tl_experts.models import ModelSource as ModelSource
    from tl_experts.models import available_models as available_models
    from tl_experts.models import load_model as load_model
    from tl_experts.pages.inspector.inspection import Inspection as Inspection
    from tl_experts.pages.inspector.inspection import inspect as inspect
    from tl_experts.pages.report import write_report as write_report
    from tl_experts.responses.collect import Responses as Responses
    from tl_experts.responses.collect import collect_responses as collect_responses
    from tl_experts.responses.collect import responses_from_cache as responses_from_cache
    from tl_experts.responses.collect_to_disk import store_responses as store_responses
    from tl_experts.responses.random_tokens import collect_random_statistics as collect_random_statistics
    from tl_experts.responses.reading import Reading as Reading
    from tl_experts.responses.statistics_pass import collect_both as collect_both
    from tl_experts.responses.statistics_pass import collect_for_steering as collect_for_steering
    from tl_experts.responses.statistics_pass import collect_statistics as collect_statistics
    from tl_experts.responses.store import ResponseStore as ResponseStore
    from tl_experts.responses.store import StoredResponses as StoredResponses
    from tl_experts.responses.store import merge_stores as merge_stores
    from tl_experts.responses.token_statistics import TokenStatistics as TokenStatistics
    from tl_experts.steering.interventions import intervention_hooks as intervention_hooks
    from tl_experts.steering.interventions import steer as steer
    from tl_experts.steering.matrix import SilencingMatrix as SilencingMatrix
    from tl_experts.steering.silencing import silencing_matrix as silencing_matrix
    from tl_experts.steering.steering import Steering as Steering
    from tl_experts.steering.tuning.result import TuneResult as TuneResult
    from tl_experts.steering.tuning.search import Budget as Budget
    from tl_experts.steering.tuning.shipped import tuned_steering as tuned_steering
    from tl_experts.steering.tuning.space import SearchSpace as SearchSpace
    from tl_experts.steering.tuning.tuner import TuningPrompts as TuningPrompts
    from tl_experts.steering.tuning.tuner import tune as tune
    from tl_experts.steering.writing.continuing import Decoding as Decoding
    from tl_experts.steering.writing.continuing import continue_prompts as continue_prompts
    from tl_experts.steering.writing.meaning import measure_meaning as measure_meaning
    from tl_experts.steering.writing.measures import TextMeasures as TextMeasures
    from tl_experts.steering.writing.measures import measure_texts as measure_texts
    from tl_experts.steering.writing.measures import measure_writing as measure_writing
    from tl_experts.steering.writing.prompts import load_prompts as load_prompts
    from tl_experts.study.comparison import CompareConfig as CompareConfig
    from tl_experts.study.comparison import CompareResult as CompareResult
    from tl_experts.study.comparison import compare as compare
    from tl_experts.study.config import StudyConfig as StudyConfig
    from tl_experts.study.config import load_config as load_config
    from tl_experts.study.result import StudyResult as StudyResult
    from tl_experts.study.run import run_study as run_study

__version__ = "0.1.0"


@cache
def _modules(file: str) -> dict[str, str]:
    """The module of each public name, read from the imports for types in the file of a package.

    So every name is stated once, and types stay static.
    """
    block = next(node for node in ast.parse(Path(file).read_text("utf-8")).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def public_name(name: str, package: str, file: str) -> Any:
    """A public name of a package, imported when it is first asked for.

    Raises:
        AttributeError: the package does not have it.
    """
    modules = _modules(file)
    if name not in modules:
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(modules)}")
    return getattr(importlib.import_module(modules[name]), name)


def __getattr__(name: str) -> Any:
    return list(_modules(__file__)) if name == "__all__" else public_name(name, __name__, __file__)


def __dir__() -> list[str]:
    return sorted([*globals(), *_modules(__file__)])
