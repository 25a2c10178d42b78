"""Models, responses and embeddings."""

from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.bad_inputs import NAN, QUIET, Row
from tests.bad_inputs.files import folder_of
from tl_experts import (
    Batching,
    Corpus,
    Encoder,
    ModelSource,
    RayWorkers,
    Reading,
    ResponseStore,
    collect_responses,
    embed,
    find_experts,
    inspect,
    load_model,
    merge_stores,
    responses_from_cache,
    run_study,
    store_embeddings,
    store_responses,
)
from tl_experts.models import written_directions
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER, TransformerBridge
from tl_experts.study import load_config


def in_memory(m: Any, change: Callable[[Any], Any]) -> object:
    """Load the model of the folder from memory, after a change."""
    hf_model = change(AutoModelForCausalLM.from_pretrained(m.path))
    return load_model(hf_model, tokenizer=AutoTokenizer.from_pretrained(m.path))


def quantised(model: Any) -> Any:
    weight = model.model.layers[0].mlp.up_proj.weight
    model.model.layers[0].mlp.up_proj.weight = torch.nn.Parameter(weight.to(torch.int8), requires_grad=False)
    return model


def with_up_projection(m: Any, kind: type[torch.Tensor]) -> Any:
    """A bridge one of whose matrices is of a tensor class."""
    model = TransformerBridge.boot_transformers(m.path, device="cpu")
    module = model.original_model.model.layers[0].mlp.down_proj
    module.weight = torch.nn.Parameter(module.weight.detach().as_subclass(kind), requires_grad=False)
    return model


class Codes(torch.Tensor):
    """As libraries of quantisation wrap codes and scales."""

    def dequantize(self) -> torch.Tensor:
        """What such a class brings."""
        raise NotImplementedError


def with_adapters(model: Any) -> Any:
    model.peft_config = {}
    return model


MODELS: list[Row] = [
    *(
        (f"a model in memory that is {kind}", lambda m, c=change: in_memory(m, c), words)
        for kind, change, words in [
            ("quantised", quantised, ("quantised", "torch.int8", "folder or hub name", "dequantize()")),
            ("on the meta device", lambda model: model.to("meta"), ("meta device", "load it whole")),
            ("one with adapters", with_adapters, ("adapters", "merge_and_unload()")),
            ("an encoder", lambda model: model.model, ("LlamaModel", "not a causal language model")),
            ("a module", lambda model: model.lm_head, ("Linear", "Hugging Face model")),
        ]
    ),
    (
        "a model in memory without a tokenizer",
        lambda m: load_model(AutoModelForCausalLM.from_pretrained(m.path)),
        ("its tokenizer must be given", "tokenizer=..."),
    ),
    (
        "a tokenizer of another kind",
        lambda m: load_model(AutoModelForCausalLM.from_pretrained(m.path), tokenizer="gpt2"),
        ("expected a Hugging Face tokenizer, got str",),
    ),
    ("a tokenizer beside a folder", lambda m: load_model(m.path, tokenizer="gpt2"), ("brings its own tokenizer",)),
    (
        "weights of an unknown tensor class",
        lambda m: written_directions(with_up_projection(m, Codes), 0, [0]),
        ("layer 0: W_out is quantised",),
    ),
    *(
        (f"model {name!r}", lambda _, n=name: load_model(n), (name or "name",))
        for name in ["nowhere/at/all", "no-such-model", "poliglot-mini", "./missing"]
    ),
    ("model of an empty folder", lambda m: load_model(folder_of(m)), ("no config.json", "save_pretrained")),
    ("model of a torn config", lambda m: load_model(folder_of(m, config__json="{")), ("config",)),
    (
        "model of an unknown kind",
        lambda m: load_model(folder_of(m, config__json='{"model_type": "quantum"}')),
        ("quantum",),
    ),
    *(
        (f"device {d!r}", lambda _, d=d: load_model("polyglot-mini", device=d), (d,))
        for d in ["gpu", "cuda:99", "tpu?"]
    ),
    *(
        (f"dtype {d!r}", lambda _, d=d: load_model("polyglot-mini", dtype=d), (str(d),))
        for d in ["float8", "int8", "double", "int32"]
    ),
    *(
        (
            f"n_devices {n!r}",
            lambda _, n=n: load_model("polyglot-mini", n_devices=n),
            (f"n_devices is {n}", "1 or more"),
        )
        for n in (0, -1)
    ),
    ("more GPUs than there are", lambda _: load_model("polyglot-mini", n_devices=99), ("is 99", "lower it")),
    (
        "n_devices on the CPU",
        lambda _: load_model("polyglot-mini", n_devices=2, device="cpu"),
        ("n_devices=2", "'cpu'"),
    ),
    *(
        (f"device_map {d!r}", lambda _, d=d: load_model("polyglot-mini", device_map=d), words)
        for d, words in [
            ("autoo", ("'autoo'", "did you mean 'auto'")),
            ({}, ("names no module", '"auto"')),
            ({"": "disk"}, ("disk", "use GPUs only")),
            ({"model": "cpu", "lm_head": 0}, ("0, cpu", "use GPUs only")),
            ({"nothing": "cpu"}, ("nothing", "does not fit the model")),
            ({"": "gpu"}, ("gpu", "does not fit the model")),
        ]
    ),
    (
        "device_map and device",
        lambda _: load_model("polyglot-mini", device="cpu", device_map="auto"),
        ("leave out device",),
    ),
    (
        "a dtype of a model source",
        lambda m: find_experts(ModelSource(m.path, dtype="flaot16"), m.corpus),
        ("'flaot16'", "did you mean 'float16'"),
    ),
    (
        "a model source of a loaded model",
        lambda m: store_responses(ModelSource(m.model), m.corpus, m.folder / "s"),
        ("HookedTransformer" if HAS_HOOKED_TRANSFORMER else "TransformerBridge", "is loaded already"),
    ),
    (
        "a dtype of embeddings' model source",
        lambda m: store_embeddings(ModelSource(m.path, dtype="int8"), m.corpus, m.folder / "s"),
        ("'int8'", "float16"),
    ),
    (
        "study on more GPUs than there are",
        lambda m: run_study(load_config("polyglot-mini"), m.folder / "s", n_devices=99),
        ("is 99", "lower it"),
    ),
    *(
        (f"collect {kind}", lambda m, s=s: collect_responses(m.model, s), ("expected a Corpus",))
        for kind, s in [("a list", ["a"]), ("a string", "a"), ("none", None), ("a mapping", {"en": ["a"]})]
    ),
    *(
        (f"embed {kind}", lambda m, s=s: embed(m.model, s), ("expected a Corpus",))
        for kind, s in [("a list", ["a"]), ("none", None)]
    ),
    *(
        (f"find {kind}", lambda m, s=s: find_experts(m.model, s, k=1), ("expected a Corpus",))
        for kind, s in [("a list", ["a"]), ("a string", "a")]
    ),
    *(
        (f"inspect {kind}", lambda m, s=s: inspect(m.model, m.experts, s), ("expected a Corpus",))
        for kind, s in [("a list", ["a"])]
    ),
    *(
        (
            f"site {site!r}",
            lambda m, s=site: collect_responses(m.model, m.corpus, reading=Reading(site=s)),
            (repr(site),),
        )
        for site in ["mlp", "hook_post", "mlp.hook_posts", ""]
    ),
    *(
        (f"pooling {p!r}", lambda m, p=p: collect_responses(m.model, m.corpus, reading=Reading(pooling=p)), (repr(p),))
        for p in ["maximum", "MAX", "", "sum"]
    ),
    *(
        (
            f"layers {layers}",
            lambda m, x=layers: collect_responses(m.model, m.corpus, reading=Reading(layers=x)),
            ("layers 0 to 1",),
        )
        for layers in ([2], [-1], [0, 7])
    ),
    *(
        (f"layers {layers!r}", lambda _, x=layers: Reading(layers=x), (repr(layers), "whole numbers"))
        for layers in ([], [0.5], ["all"], 3, "12")
    ),
    *(
        (
            f"embed layer {layer}",
            lambda m, x=layer: embed(m.model, m.corpus, layer=x),
            (f"layer {layer}", "layers 0 to 1"),
        )
        for layer in (2, -3, 99)
    ),
    *(
        (
            f"token_budget {b}",
            lambda m, b=b: collect_responses(m.model, m.corpus, reading=Reading(batching=Batching(token_budget=b))),
            (f"is {b}", "at least 1"),
        )
        for b in (0, -1)
    ),
    *(
        (
            f"padding_side {s!r}",
            lambda m, s=s: collect_responses(m.model, m.corpus, reading=Reading(batching=Batching(padding_side=s))),
            (repr(s),),
        )
        for s in ("middle", "")
    ),
    (
        "beyond the context",
        lambda m: collect_responses(m.model, Corpus.from_texts({"en": ["word " * 600]}), **QUIET),
        ("truncate=True",),
    ),
    *(
        (
            f"store dtype {d}",
            lambda m, d=d: store_responses(m.model, m.corpus, m.folder / "s", reading=Reading(dtype=d)),
            (str(d).removeprefix("torch."),),
        )
        for d in (torch.int8, torch.float64)
    ),
    *(
        (f"part {p}", lambda m, p=p: store_responses(m.model, m.corpus, m.kept, part=p), (f"part {p[0]}/{p[1]}", "i/n"))
        for p in ((0, 2), (3, 2), (-1, 2), (1, 0))
    ),
    (
        "workers of a loaded model",
        lambda m: store_responses(m.model, m.corpus, m.folder / "s", workers=RayWorkers()),
        ("workers load the model themselves", "ModelSource"),
    ),
    ("workers unknown", lambda m: store_responses("x", m.corpus, m.folder / "s", workers="spark"), ("'spark'",)),
    *(
        (f"workers {options}", lambda _, o=options: RayWorkers(**o), (str(next(iter(options.values()))), "expected"))
        for options in ({"count": 0}, {"count": 1.5}, {"gpus": -1}, {"gpus": 1.5}, {"gpus": "two"}, {"gpus": NAN})
    ),
    *(
        (f"batching {options}", lambda _, o=options: Batching(**o), (str(next(iter(options.values()))),))
        for options in ({"token_budget": 2.5}, {"prepend_bos": "yes"}, {"truncate": "no"}, {"padding_side": ["left"]})
    ),
    ("batching of a reading", lambda _: Reading(batching={"truncate": True}), ("expected Batching",)),
    (
        "responses from an empty cache",
        lambda m: responses_from_cache(m.model, {}, m.corpus, torch.ones(len(m.corpus), 1, dtype=torch.bool)),
        ("the cache lacks", "names_filter"),
    ),
    (
        "responses from a cache of fewer sentences",
        lambda m: responses_from_cache(m.model, {}, m.corpus, torch.ones(1, 1, dtype=torch.bool)),
        ("`pooled` has 1 rows",),
    ),
    (
        "responses from a cache of nothing but padding",
        lambda m: responses_from_cache(m.model, {}, m.corpus, torch.zeros(len(m.corpus), 1, dtype=torch.bool)),
        ("at least one True",),
    ),
    (
        "embeddings' workers of a loaded model",
        lambda m: store_embeddings(m.model, m.corpus, m.folder / "s", workers=RayWorkers()),
        ("workers load the model themselves", "ModelSource"),
    ),
    (
        "embeddings' workers unknown",
        lambda m: store_embeddings("x", m.corpus, m.folder / "s", workers="spark"),
        ("'spark'",),
    ),
    ("study's workers unknown", lambda m: run_study(load_config("polyglot-mini"), workers="spark"), ("'spark'",)),
    ("store embeddings of a list", lambda m: store_embeddings(m.model, ["a"], m.folder / "s"), ("expected a Corpus",)),
    ("store embeddings of layer 9", lambda m: store_embeddings(m.model, m.corpus, m.folder / "s", layers=[9]), ("9",)),
    ("store embeddings of no layer", lambda m: store_embeddings(m.model, m.corpus, m.folder / "s", layers=[]), ("no",)),
    ("workers without a folder", lambda m: find_experts("x", m.corpus, workers=RayWorkers()), ("give folder=",)),
    ("merge nothing", lambda _: merge_stores([]), ("no folder",)),
    ("merge nowhere", lambda _: merge_stores(["nowhere"]), ("nowhere", "is the path right")),
    ("store of an empty folder", lambda m: ResponseStore(folder_of(m)), ("job.json",)),
    *(
        (f"store of job {job}", lambda m, j=job: ResponseStore(folder_of(m, job__json=j)), ("job.json",))
        for job in ("", "{", "[]", "{}", "5", '{"layers": "x"}')
    ),
    *(
        (f"encoder: {name}", lambda m, f=what: f(m), words)
        for name, what, words in [
            ("no sentence", lambda m: Encoder(m.model).encode([]), ("no sentence to encode",)),
            ("an empty sentence", lambda m: Encoder(m.model).encode(["a", ""]), ("empty",)),
            ("a number", lambda m: Encoder(m.model).encode(["a", 3]), ("int cannot be encoded",)),
            ("a picture", lambda m: Encoder(m.model).encode([{"image": [1]}]), ("image", "'text'")),
            ("unknown argument", lambda m: Encoder(m.model).encode(["a"], prompt_name="q"), ("'prompt_name'",)),
            ("one to centre", lambda m: Encoder(m.model, centred=True).encode(["a"]), ("centred=True", "one")),
            ("layer 9", lambda m: Encoder(m.model, layer=9), ("layer 9", "0 to 1")),
            ("a language for a steering", lambda m: Encoder(m.model, steering="es"), ("got str",)),
            ("a name for a model", lambda m: Encoder("polyglot-mini"), ("got str", "load_model")),
            (
                "unpaired",
                lambda m: Encoder(m.model).similarity_pairwise(torch.eye(3), torch.eye(2)),
                ("(3, 3)", "(2, 2)"),
            ),
        ]
    ),
]
