"""Experts that were not found here: a user's own list, and the mask files that accompany LAPE.

Such experts have no statistics but the values given with them: the others are NaN, which no intervention takes.
`Experts.with_statistics` fills them in from a corpus.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tl_experts.corpus.languages import require_distinct
from tl_experts.errors import SelectionError, require_whole
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.experts import Experts
from tl_experts.experts.masks import read_masks
from tl_experts.models import ModelLike, as_model, model_fingerprint
from tl_experts.responses.collect import neuron_table
from tl_experts.responses.neurons import NeuronTable
from tl_experts.responses.reading import DEFAULT_READING, Reading

_FORM = "(layer, neuron) or (layer, neuron, value)"

Row = tuple[int, int, float]
"""Layer, neuron and value (NaN: not given)."""

_MOST = float(np.finfo(np.float32).max)


def experts_from_list(
    model: ModelLike, neurons: Mapping[str, Iterable[Sequence[Any]]], *, reading: Reading = DEFAULT_READING
) -> Experts:
    """Experts from a list of one's own.

    Args:
        model: the model whose neurons they are.
        neurons: for each language, (layer, neuron) or (layer, neuron, value), best first. The value is what steering
            sets or adds: their ``mean``, ``median`` and ``p90``. A language may have none.
        reading: site and layers of the neurons, and the pooling that their responses would have.

    Returns:
        Experts whose other statistics are NaN.

    Raises:
        SelectionError: not a mapping from languages to such lists, a neuron that the model does not have or that is
            listed twice, or a value that is not a finite number.
        CorpusError: not a language code, or two codes of one language.
        SiteError: the model lacks the site or a layer.

    Examples:
        >>> from tl_experts import load_model
        >>> model = load_model("polyglot-mini")
        >>> experts = experts_from_list(model, {"es": [(3, 117, 2.5), (4, 8, 1.0)], "de": [(0, 5)]})
        >>> experts
        Experts(own list by hand at mlp.hook_post; es: 2, de: 1)
    """
    if not isinstance(neurons, Mapping) or not neurons:
        raise SelectionError(
            f"neurons is {neurons!r:.80}; expected lists by language, such as {{'es': [(3, 117, 2.5)]}}"
        )
    loaded = as_model(model)
    table = neuron_table(loaded, reading)
    codes = require_distinct(neurons, "neurons")
    rows = {codes[language]: _rows(codes[language], listed, table) for language, listed in neurons.items()}
    return _experts(rows, table, reading, model_fingerprint(loaded), "own list")


def experts_from_masks(
    path: str | Path, model: ModelLike, languages: Sequence[str], *, reading: Reading = DEFAULT_READING
) -> Experts:
    """Experts from a mask file of LAPE (Tang et al. 2024): for each language, for each layer, the indices of neurons.

    The file names no language: give them in its order. The published script drops a language without a neuron, so
    leave that out.

    Args:
        path: a file that ``torch.save`` wrote. It is read as data (``weights_only``): no code in it is run.
        model: the model whose neurons they are.
        languages: the language of each list in the file.
        reading: the site of the neurons, and the pooling that their responses would have.

    Raises:
        ArtefactError: the file cannot be read, or holds something else.
        SelectionError: another number of languages, or a layer or neuron that the model does not have.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> import torch
        >>> from tl_experts import load_model
        >>> model = load_model("polyglot-mini")
        >>> masks = [[torch.tensor([7, 8])] + [torch.tensor([])] * 7, [torch.tensor([5])] + [torch.tensor([])] * 7]
        >>> with TemporaryDirectory() as folder:
        ...     torch.save(masks, f"{folder}/masks.pth")
        ...     experts_from_masks(f"{folder}/masks.pth", model, ["en", "es"])
        Experts(masks.pth by hand at mlp.hook_post; en: 2, es: 1)
    """
    if isinstance(languages, str):
        raise SelectionError(f"languages is {languages!r}; expected a list of codes, such as ['en', 'es']")
    loaded = as_model(model)
    table = neuron_table(loaded, reading)
    codes = list(require_distinct(languages, "languages").values())
    masks = read_masks(path, most=max(table.widths))
    if len(masks) != len(languages) or len(codes) != len(languages):
        raise SelectionError(
            f"{path} has {len(masks)} languages, and {len(languages)} were named: {', '.join(map(str, languages))}. "
            "The published script drops a language without neurons: leave it out"
        )
    rows = {}
    for code, layers in zip(codes, masks, strict=True):
        if len(layers) != loaded.cfg.n_layers:
            raise SelectionError(
                f"{path} has {len(layers)} layers for {code}, the model {loaded.cfg.n_layers}: it is of another model"
            )
        pairs = [(layer, neuron) for layer, indices in enumerate(layers) for neuron in indices]
        rows[code] = _rows(code, pairs, table)
    return _experts(rows, table, reading, model_fingerprint(loaded), Path(path).name)


def listed_rows(neurons: object, table: NeuronTable) -> dict[str, list[Row]]:
    """The rows of lists by language, checked.

    Raises:
        SelectionError: see `experts_from_list`.
        CorpusError: likewise.
    """
    if not isinstance(neurons, Mapping) or not neurons:
        raise SelectionError(f"neurons is {neurons!r:.80}; expected lists by language: {{'es': [(3, 117, 2.5)]}}")
    codes = require_distinct(neurons, "neurons")
    return {codes[language]: _rows(codes[language], listed, table) for language, listed in neurons.items()}


def _rows(language: str, listed: object, table: NeuronTable) -> list[Row]:
    if isinstance(listed, str | Mapping) or not isinstance(listed, Iterable):
        raise SelectionError(f"{language}: {listed!r:.80}; expected a list of {_FORM}")
    rows = [_row(language, row, table) for row in listed]
    seen: set[tuple[int, int]] = set()
    for layer, neuron, _ in rows:
        if (layer, neuron) in seen:
            raise SelectionError(f"{language}: neuron {neuron} of layer {layer} is listed twice; remove one")
        seen.add((layer, neuron))
    return rows


def _row(language: str, row: Any, table: NeuronTable) -> Row:
    if isinstance(row, str | Mapping) or not isinstance(row, Iterable) or len(parts := list(row)) not in (2, 3):
        raise SelectionError(f"{language}: {row!r:.80}; expected {_FORM}")
    layer = require_whole(parts[0], f"{language}: layer", SelectionError)
    neuron = require_whole(parts[1], f"{language}: neuron", SelectionError)
    if layer not in table.layers:
        raise SelectionError(f"{language}: layer is {layer}; choose among {', '.join(map(str, table.layers))}")
    width = table.widths[table.layers.index(layer)]
    if not 0 <= neuron < width:
        raise SelectionError(f"{language}: neuron is {neuron}; layer {layer} has neurons 0 to {width - 1}")
    if len(parts) == 2:
        return layer, neuron, np.nan
    value = parts[2]
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not abs(value) <= _MOST:
        raise SelectionError(f"{language}: value is {value!r:.80}; expected a finite number, or leave it out")
    return layer, neuron, float(value)


def _experts(
    rows: Mapping[str, list[Row]], table: NeuronTable, reading: Reading, fingerprint: dict[str, str], selection: str
) -> Experts:
    listed = [row for own in rows.values() for row in own]
    unknown = np.full(len(listed), np.nan, dtype=np.float32)
    values = np.array([value for _, _, value in listed], dtype=np.float32)
    return Experts(
        languages=tuple(rows),
        language_of=np.repeat(np.arange(len(rows)), [len(own) for own in rows.values()]),
        layer=np.array([layer for layer, _, _ in listed], dtype=np.int64),
        neuron=np.array([neuron for _, neuron, _ in listed], dtype=np.int64),
        statistics=dict.fromkeys(STATISTICS, unknown) | dict.fromkeys(("mean", "median", "p90"), values),
        candidates=table,
        site=reading.site,
        pooling=reading.pooling,
        metric="hand",
        selection=selection,
        corpus="none",
        fingerprint=fingerprint,
    )
