"""`Encoder`: a model's sentence vectors behind the `encode` of sentence-transformers and of the benchmark mteb."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from importlib.util import find_spec
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from tl_experts.analysis.arrays import Array, as_tensor
from tl_experts.analysis.vectors import centre, normalise
from tl_experts.corpus.sentences import Corpus
from tl_experts.embeddings.embeddings import Layer, block_numbers, embed
from tl_experts.errors import TLExpertsError
from tl_experts.models import Model, require_model
from tl_experts.models.batches import Batching
from tl_experts.models.forward import final_width
from tl_experts.steering.interventions import Steerable, steer

UNCODED = "mis"
"""ISO 639's code of a language that has none: nothing here asks for the language of a text."""

WITHOUT_EFFECT = frozenset(
    {"batch_size", "device", "hf_split", "hf_subset", "num_workers", "prompt_type", "task_metadata", "task_name"}
)
"""Arguments of other encoders that change no vector here: text is batched by tokens, on the model's own device."""

PROBE = ("To open a file, press the left button.", "Para abrir un archivo, pulse el botón izquierdo.")
"""What tells two encoders apart: their vectors of these."""


class Encoder:
    """Sentences in, vectors out: the mean of a layer's hidden states over each sentence's tokens.

    Works where a `SentenceTransformer` is expected (`encode`, `similarity`), and as a model for ``mteb.evaluate``: it
    has every member of mteb's protocol of encoders, and needs mteb only to describe itself to it.

    Args:
        model: either class, from `load_model`.
        layer: a block's number, a negative one from the end; None: the last hidden state, after the final norm.
        steering: experts of one language, a `Steering`, or several of them, which act while text is read; None: no
            intervention.
        centred: subtract the mean vector of the sentences of each call of `encode`, which then have to be of one
            language. mteb's bitext tasks call it once for each side of a pair of languages.
        batching: how text is batched. By default a text that is too long is cut, as by other encoders.
        name: what tables call it, as ``"organisation/name"``; None: from the model and the options.

    Raises:
        ModelError: not a model.
        SiteError: a layer the model does not have.
        InterventionError: what is given as a steering cannot steer.

    Examples:
        >>> from tl_experts import Encoder, load_model
        >>> encoder = Encoder(load_model("polyglot-mini"), layer=4, centred=True)
        >>> encoder.encode(["Save the file.", "The window is closed."]).shape
        (2, 256)
        >>> encoder.name
        'tl-experts/polyglot-mini-layer-4-centred'
    """

    similarity_fn_name = "cosine"
    """How vectors are compared, as sentence-transformers names it."""

    def __init__(
        self,
        model: Model,
        *,
        layer: Layer = None,
        steering: Steerable | None = None,
        centred: bool = False,
        batching: Batching = Batching(truncate=True),  # noqa: B008 (frozen)
        name: str | None = None,
    ) -> None:
        require_model(model)
        block_numbers(model, [layer])
        self.model = model
        self.layer = layer
        self.steering = steering
        self.centred = centred
        self.batching = batching
        with self._steered():  # an error now, not in the first call
            pass
        self.name = name or self._name()

    def encode(
        self,
        inputs: str | Iterable[Any],
        *,
        prompt: str = "",
        show_progress_bar: bool = False,
        convert_to_tensor: bool = False,
        convert_to_numpy: bool = True,
        normalize_embeddings: bool = False,
        **others: Any,
    ) -> Float[np.ndarray, "*sentence dim"] | Float[Tensor, "*sentence dim"] | list[Tensor]:
        """The vector of each sentence.

        Args:
            inputs: sentences; one sentence, for one vector; or batches with their sentences under ``"text"``, as mteb's
                `DataLoader` gives them.
            prompt: put before each sentence; its tokens count in the mean.
            show_progress_bar: show a bar, in tokens.
            convert_to_tensor: return a tensor, not a NumPy array.
            convert_to_numpy: False (and no tensor asked for): return a list of tensors.
            normalize_embeddings: scale each vector to length 1.
            **others: arguments of other encoders that are without effect here: `WITHOUT_EFFECT`.

        Raises:
            TLExpertsError: no sentence, an empty one or something else than text; one sentence alone with
                ``centred=True``; an argument that is not known.
            ModelError: a sentence without a token.
        """
        _require_known(others)
        texts = [prompt + text for text in _texts(inputs)]
        vectors = self._vectors(texts, progress=show_progress_bar)
        if self.centred:
            if len(texts) < 2:
                raise TLExpertsError("centred=True needs the sentences of a language in one call, and this has one")
            vectors = centre(vectors)
        if normalize_embeddings:
            vectors = normalise(vectors)
        if isinstance(inputs, str):
            vectors = vectors[0]
        if convert_to_tensor:
            return vectors
        return vectors.numpy() if convert_to_numpy else list(vectors)

    def similarity(
        self, embeddings1: Float[Array, "..."], embeddings2: Float[Array, "..."]
    ) -> Float[Tensor, "one other"]:
        """The cosine of every vector with every vector; a single vector counts as one row."""
        return _rows(embeddings1) @ _rows(embeddings2).T

    def similarity_pairwise(
        self, embeddings1: Float[Array, "..."], embeddings2: Float[Array, "..."]
    ) -> Float[Tensor, " one"]:
        """The cosine of each vector with the one in the same row.

        Raises:
            TLExpertsError: not as many vectors in both.
        """
        one, other = _rows(embeddings1), _rows(embeddings2)
        if one.shape != other.shape:
            raise TLExpertsError(
                f"vectors {tuple(one.shape)} and {tuple(other.shape)} cannot be paired; give as many of both"
            )
        return (one * other).sum(dim=1)

    def get_sentence_embedding_dimension(self) -> int:
        """Dimensions of a vector."""
        return final_width(self.model) if self.layer is None else int(self.model.cfg.d_model)

    @property
    def revision(self) -> str:
        """Twelve hex digits that change with the model and every option: mteb keeps results by name and revision."""
        options = json.dumps([self.layer, self.centred, asdict(self.batching)])
        probe = self._vectors(list(PROBE), progress=False).half().numpy()
        return hashlib.sha256(options.encode() + probe.tobytes()).hexdigest()[:12]

    @property
    def mteb_model_meta(self) -> Any:
        """What mteb is told about this encoder, as its own `ModelMeta`; None where mteb is not installed."""
        if find_spec("mteb") is None:
            return None
        from mteb.models import ModelMeta

        told = {
            "loader": None,
            "name": self.name,
            "revision": self.revision,
            "embed_dim": self.get_sentence_embedding_dimension(),
            "max_tokens": float(self.model.cfg.n_ctx),
            "framework": ["PyTorch"],
            "similarity_fn_name": self.similarity_fn_name,
            "use_instructions": False,
        }
        # What is required differs between versions of mteb; what it does not ask for would be an error.
        asked = {name: None for name, field in ModelMeta.model_fields.items() if field.is_required()}
        return ModelMeta(**asked | {name: value for name, value in told.items() if name in ModelMeta.model_fields})

    def _steered(self) -> AbstractContextManager[object]:
        return nullcontext() if self.steering is None else steer(self.model, self.steering)

    def _vectors(self, texts: list[str], *, progress: bool) -> Float[Tensor, "sentence dim"]:
        corpus = Corpus(tuple(texts), (UNCODED,) * len(texts), name="the sentences to encode")
        with self._steered():
            return embed(self.model, corpus, layer=self.layer, batching=self.batching, progress=progress).vectors

    def _name(self) -> str:
        parts = [str(getattr(self.model.cfg, "model_name", None) or "model").rstrip("/").split("/")[-1]]
        parts += [] if self.layer is None else [f"layer-{self.layer}"]
        parts += ["steered"] if self.steering is not None else []
        return f"tl-experts/{'-'.join(parts + (['centred'] if self.centred else []))}"


def _require_known(others: Mapping[str, Any]) -> None:
    unknown = sorted(set(others) - WITHOUT_EFFECT)
    if unknown:
        raise TLExpertsError(
            f"encode has no argument {unknown[0]!r}; it takes prompt, show_progress_bar, convert_to_tensor, "
            f"convert_to_numpy, normalize_embeddings, and without effect {', '.join(sorted(WITHOUT_EFFECT))}"
        )


def _texts(inputs: str | Iterable[Any]) -> list[str]:
    """The sentences of a call."""
    if isinstance(inputs, str):
        return [inputs]
    if isinstance(inputs, Mapping):
        return list(_of_batch(inputs))
    parts = (_of_batch(part) if isinstance(part, Mapping) else [part] for part in inputs)
    texts = list(chain.from_iterable(parts))
    if not texts:
        raise TLExpertsError("no sentence to encode; give at least one")
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise TLExpertsError(f"{type(wrong).__name__} cannot be encoded; expected sentences as text")
    return texts


def _of_batch(batch: Mapping[str, Any]) -> Iterator[Any]:
    """The sentences of a batch, or of one row of a data set."""
    if "text" not in batch:
        raise TLExpertsError(f"a batch has {', '.join(map(str, batch))}, but no 'text'; only text can be encoded")
    text = batch["text"]
    return iter([text] if isinstance(text, str) else text)


def _rows(vectors: Any) -> Float[Tensor, "row dim"]:
    """Unit vectors, one a row."""
    values = as_tensor(np.asarray(vectors) if isinstance(vectors, list) else vectors)
    return normalise(values if values.ndim == 2 else values[None])
