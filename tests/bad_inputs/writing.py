"""What a model writes, and measures of it."""

from tests.bad_inputs import INF, NAN, QUIET, Row
from tl_experts import (
    Decoding,
    continue_prompts,
    load_prompts,
    measure_meaning,
    measure_texts,
    measure_writing,
    tuned_steering,
)
from tl_experts.steering import MeaningScale, continue_side_by_side

SCALE = MeaningScale(unrelated=0.8, same=0.9)

WRITING: list[Row] = [
    *(
        (f"decoding {name} {value!r}", lambda _, n=name, v=value: Decoding(**{n: v}), (name, repr(value)))
        for name, values in {
            "max_new_tokens": (0, -1, 2.5, "8", True),
            "temperature": (-0.1, NAN, INF, "hot", True),
            "top_p": (0, 1.1, NAN, "most"),
            "repetition_penalty": (0, -1, NAN, INF, None),
            "chat": ("yes", 2, None),
        }.items()
        for value in values
    ),
    *(
        (f"prompts {prompts!r}", lambda m, p=prompts: continue_prompts(m.model, p, **QUIET), words)
        for prompts, words in [("Die Katze", ("'Die Katze'", "give a list")), ([], ("prompts is empty",))]
    ),
    *(
        (
            f"continue {name} {value!r}",
            lambda m, n=name, v=value: continue_prompts(m.model, ["a"], **{n: v}, **QUIET),
            (name, repr(value)),
        )
        for name, values in {"texts": (0, 1.5), "seed": (-1, "one"), "batch_size": (0, None)}.items()
        for value in values
    ),
    *(
        (f"side by side {parts!r}", lambda m, p=parts: continue_side_by_side(m.model, ["a"], p, **QUIET), words)
        for parts, words in [([], ("parts is []", "give a list")), ("es", ("'es'",)), (["es"], ("str in a list",))]
    ),
    (
        "chat without a template",
        lambda m: continue_prompts(m.model, ["a"], decoding=Decoding(chat=True), **QUIET),
        ("chat",),
    ),
    *(
        (f"meaning of {texts!r} by {names}", lambda _, t=texts, o=options: measure_meaning(t, ["a"], **o), words)
        for texts, names, options, words in [
            ("a", "a scale", {"scale": SCALE}, ("texts is 'a'", "give a list")),
            (["a", "b"], "a scale", {"scale": SCALE}, ("'texts': 2", "'references': 1")),
            ([None], "a scale", {"scale": SCALE}, ("row 0 of texts is None", "expected text")),
            (["a"], "nothing", {}, ("language is None", "or a scale")),
            (["a"], "klingon", {"language": "klingon"}, ("klingon",)),
            (["a"], "Swahili", {"language": "sw", "reference_language": "en"}, ("'sw'", "MeaningScale.of")),
        ]
    ),
    ("a scale without spread", lambda _: MeaningScale(0.8, 0.8), ("0.800", "no scale")),
    ("measure nothing", lambda m: measure_texts(m.model, [], "es", **QUIET), ("at least one text",)),
    ("measure a string", lambda m: measure_texts(m.model, "text", "es", **QUIET), ("'text'", "give a list")),
    ("measure klingon", lambda m: measure_texts(m.model, ["text"], "klingon", **QUIET), ("klingon",)),
    ("measure language 5", lambda m: measure_texts(m.model, ["text"], 5, **QUIET), ("5", "expected a code")),
    (
        "measure with one prompt too few",
        lambda m: measure_texts(m.model, ["text", "text"], "es", prompts=["a"], **QUIET),
        ("2 texts and 1 prompts",),
    ),
    ("measure writing of nothing", lambda m: measure_writing(m.model, [], "es", **QUIET), ("prompts is empty",)),
    *((f"prompts in {code!r}", lambda _, c=code: load_prompts(c), (code,)) for code in ("fi", "klingon")),
    *(
        (f"a tuned setting {code!r}", lambda m, c=code: tuned_steering(m.model, c, **QUIET), words)
        for code, words in [
            ("es", ("comes with the package",)),
            ("klingon", ("klingon",)),
            (5, ("5 is not a language code",)),
        ]
    ),
    ("prompts of a domain", lambda _: load_prompts("es", domain="news"), ("news", "computers")),
]
