"""A search for a setting."""

from tests.bad_inputs import INF, NAN, QUIET, Row
from tl_experts import Budget, SearchSpace, TuningPrompts, tune
from tl_experts.steering.tuning import Setting, bundled_tuning_prompts
from tl_experts.study import AlignmentSpace, tune_alignment


def prompts(**changed):
    return TuningPrompts(**{"search": ("a",), "natural": ("b",), "report": ()} | changed)


def align(m, statistics, **options):
    return tune_alignment(m.model, statistics, "es", m.corpus, m.corpus, **QUIET, **options)


TUNING: list[Row] = [
    ("tune without statistics", lambda m: tune(m.model, None, "es", **QUIET), ("NoneType", "collect_for_steering")),
    ("tune with text", lambda m: tune(m.model, ["text"], "es", **QUIET), ("holds str", "collect_for_steering")),
    ("tune without responses", lambda m: tune(m.model, [], "es", **QUIET), ("lacks responses", "collect_for_steering")),
    ("tune in a space of 5", lambda m: tune(m.model, [], "es", space=5, **QUIET), ("int", "SearchSpace")),
    ("tune with a budget of 5", lambda m: tune(m.model, [], "es", budget=5, **QUIET), ("int", "Budget")),
    *(
        (f"tune seed {seed!r}", lambda m, s=seed: tune(m.model, [], "es", seed=s, **QUIET), (repr(seed),))
        for seed in (-1, 0.5)
    ),
    ("align without statistics", lambda m: align(m, None), ("NoneType", "collect_for_steering")),
    ("align in a space of 5", lambda m: align(m, [], space=5), ("int", "AlignmentSpace")),
    ("align in a space of texts", lambda m: align(m, [], space=SearchSpace()), ("SearchSpace", "AlignmentSpace")),
    ("align seed -1", lambda m: align(m, [], seed=-1), ("-1",)),
    *(
        (f"embedding layers {value!r}", lambda _, v=value: AlignmentSpace(embedding_layers=v), words)
        for value, words in [
            ((), ("embedding_layers", "at least one")),
            (3, ("embedding_layers", "3", "tuple")),
            ((2.5,), ("layer", "2.5", "whole number")),
        ]
    ),
    ("budget of nothing", lambda _: Budget(), ("give one of the two",)),
    ("budget of both", lambda _: Budget(trials=5, seconds=5), ("5", "give one of the two")),
    *((f"budget trials {value!r}", lambda _, v=value: Budget(trials=v), (repr(value),)) for value in (0, 2.5, True)),
    *(
        (f"budget seconds {value!r}", lambda _, v=value: Budget(seconds=v), (repr(value),))
        for value in (0, NAN, INF, "9")
    ),
    *(
        (f"budget finalists {value!r}", lambda _, v=value: Budget(trials=5, finalists=v), (repr(value),))
        for value in (-1, 2.5, True)
    ),
    *(
        (f"budget final_texts {value!r}", lambda _, v=value: Budget(trials=5, final_texts=v), (repr(value),))
        for value in (0, 2.5, True)
    ),
    *(
        (f"space {name} {value!r}", lambda _, n=name, v=value: SearchSpace(**{n: v}), words)
        for name, value, words in [
            ("scorings", (), ("scorings", "at least one")),
            ("scorings", "lape", ("'lape'", "tuple")),
            ("scorings", ("lap",), ("'lap'", "did you mean 'lape'")),
            ("counts", (0,), ("0", "at least 1 neuron")),
            ("counts", (2.5,), ("2.5", "whole number")),
            ("holds", (("sett", "mean"),), ("'sett'", "did you mean 'set'")),
            ("holds", (("set", "average"),), ("'average'", "choose one of")),
            ("holds", ("set",), ("'set'", "pairs")),
            ("strengths", (NAN,), ("no combination",)),
            ("strengths", ("1",), ("'1'", "numbers")),
            ("positions", ("first",), ("'first'",)),
        ]
    ),
    ("setting all of 5 neurons", lambda _: Setting("all", 5), ("'all'", "leave count None")),
    ("setting auroc with a source", lambda _: Setting("auroc", 5, source="en"), ("'en'", "only scoring")),
    ("setting strength", lambda _: Setting("auroc", 5, "set", "mean", 2.0), ("2.0", "from 0 to 1")),
    ("setting from a list", lambda _: Setting.from_dict([5]), ("[5]", "not a setting")),
    ("no prompts to search with", lambda _: prompts(search=()), ("search is empty",)),
    ("prompts as one string", lambda _: prompts(natural="Bread"), ("'Bread'", "give a list")),
    ("prompts of numbers", lambda _: prompts(search=(5,)), ("5", "give a list")),
    ("prompts in the report too", lambda _: prompts(report=("a",)), ("'a'", "keep them apart")),
    ("tuning prompts in Finnish", lambda _: bundled_tuning_prompts("fi"), ("'fi'",)),
]
