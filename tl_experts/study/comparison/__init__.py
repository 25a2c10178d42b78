"""The comparison: every scoring with every intervention, beside what needs no neuron, for writing and for retrieval.

Inner order: `config`, `views`; `methods`, `prompts`, `result`; `bench`; `texts`; `writing`, `costs`, `equal`, `cause`,
`alignment`; `evidence`, `chosen`; `headline`, `layers`, `romanised`; `conclusion`, `run`.
"""

from tl_experts.study.comparison.config import CompareConfig
from tl_experts.study.comparison.result import CompareResult
from tl_experts.study.comparison.run import compare

__all__ = ["CompareConfig", "CompareResult", "compare"]
