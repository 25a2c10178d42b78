"""The card of experts on the hub: which model and corpus they belong to, how they were found, how to use them."""

import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tl_experts.experts.experts import Experts

_TEXT = """---
{metadata}
---

# Language experts of {model}

Neurons whose responses tell one language from the others, found with
[tl-experts](https://pypi.org/project/tl-experts/) {version}.

```python
from tl_experts import Experts, load_model, steer

model = load_model({model_literal})
experts = Experts.from_pretrained({repository_literal})
with steer(model, experts[{language_literal}]):
    print(model.generate("To open a file,", max_new_tokens=30))
```

## Experts

{table}

## How they were found

- Model: {model} ({fingerprint}). tl-experts refuses any other.
- Corpus: {corpus}.
- Selection: {selection}, ranked by {metric}.
- Responses: {site}, {pooling} over the tokens of a sentence.
- Candidates: {candidates} neurons in {layers} layers.

Statistics of every expert, and these facts, are in `experts.safetensors` and `experts.json`.
"""


def card(experts: "Experts", repository: str, *, model: str | None, corpus: str | None, version: str) -> str:
    """The text of a repository's ``README.md``.

    Args:
        experts: what the repository holds.
        repository: its name.
        model: name of the model, as `load_model` takes it; None: not known.
        corpus: name of the corpus; None: not known.
        version: of tl-experts.
    """
    name = _plain(model or "a model that is known by its fingerprint only")
    return _TEXT.format(
        metadata=_metadata(experts, model),
        model=name,
        version=version,
        model_literal=json.dumps(model or "path/to/the/model"),
        repository_literal=json.dumps(repository),
        language_literal=json.dumps(experts.languages[0]),
        table=_table(experts),
        fingerprint=_plain(", ".join(f"{field} {value}" for field, value in experts.fingerprint.items())),
        corpus=_plain(f"{corpus}, fingerprint {experts.corpus}" if corpus else f"fingerprint {experts.corpus}"),
        selection=_plain(experts.selection),
        metric=_plain(experts.metric),
        site=_plain(experts.site),
        pooling=_plain(experts.pooling),
        candidates=f"{experts.candidates.total:,}",
        layers=len(experts.candidates.layers),
    )


def _metadata(experts: "Experts", model: str | None) -> str:
    """The YAML header. JSON's strings are YAML's too, and keep ``no`` (Norwegian) from being read as false."""
    lines = ["library_name: tl-experts", "tags:", "- language-experts", "- interpretability", "language:"]
    lines += [f"- {json.dumps(code)}" for code in dict.fromkeys(code.split("-")[0] for code in experts.languages)]
    if model is not None and model.count("/") == 1:
        lines.append(f"base_model: {json.dumps(model)}")
    return "\n".join(lines)


def _table(experts: "Experts") -> str:
    columns = ("language", "experts", "best AUROC", "mean AUROC", "layers (quartiles)")
    rows = [columns, ("---", *["---:"] * (len(columns) - 1)), *(_row(*item) for item in experts.items())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(language: str, experts: "Experts") -> tuple[str, ...]:
    auroc = experts.statistics["auroc"]
    known = experts.total > 0 and bool(np.isfinite(auroc).all())  # random neurons have no AUROC of their own
    best, mean = (f"{auroc.max():.4f}", f"{auroc.mean():.4f}") if known else ("", "")
    quartiles = ", ".join(f"{q:.0f}" for q in np.percentile(experts.layer, [25, 50, 75])) if experts.total else ""
    return _plain(language), str(experts.total), best, mean, quartiles


def _plain(text: str) -> str:
    """Text from outside in one line that Markdown reads as text."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
