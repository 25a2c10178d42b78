"""Answers about any neuron, and a prompt continued before and after an intervention."""

import threading
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from tl_experts import Steering, collect_statistics, steer
from tl_experts.errors import SelectionError, TLExpertsError
from tl_experts.experts.evidence import Evidence
from tl_experts.experts.scorings import SCORINGS, scored
from tl_experts.pages.inspector import sampled
from tl_experts.pages.inspector.asked import Held, Wish
from tl_experts.pages.inspector.gather import gather
from tl_experts.pages.inspector.live import Live
from tl_experts.pages.inspector.records import packed, weight_record
from tl_experts.pages.inspector.weight_view import weight_views
from tl_experts.steering.writing.continuing import Decoding, continue_prompts

PROMPT = "The cat"
PARTS = ("measures", "weights", "neighbours", "distribution")
EXPERTS = {"prompt": PROMPT, "by": "experts", "language": "ja", "k": 3, "tokens": 6, "seed": 4}


@pytest.fixture(scope="module")
def live(llama, experts, responses):
    return Live(llama, experts, responses)


def last(steps):
    *_, found = steps
    return found


def column(responses, layer, neuron):
    return responses.values[:, responses.neurons.span(layer).start + neuron].numpy()


def test_a_neuron_has_scikit_learns_scores_its_responses_and_its_weights(live, responses, corpus, llama):
    found = next(live.answer(1, 9))
    values = column(responses, 1, 9)
    for index, language in enumerate(corpus.languages):
        mine = np.array(corpus.labels) == language
        assert found["measures"]["auroc"][index] == pytest.approx(roc_auc_score(mine, values), abs=1e-4)
        assert found["measures"]["ap"][index] == pytest.approx(average_precision_score(mine, values), abs=1e-4)
    assert found["responses"] == packed(values, np.uint16)
    (weights,) = (line for line in live.answer(1, 9) if "weights" in line)
    assert weights == {"weights": weight_record(weight_views(llama, [(1, 9)], "mlp.hook_post")[0])}


def test_the_sentences_of_a_neuron_are_those_at_both_ends_of_the_responses(live, responses, corpus):
    values = column(responses, 0, 4)
    shown = last(live.tokens(0, 4))["shown"]
    for language, top, bottom in zip(corpus.languages, shown["top"], shown["bottom"], strict=True):
        mine = sorted(np.flatnonzero(np.array(corpus.labels) == language), key=lambda row: -values[row])
        assert top == mine[:4]
        assert bottom == mine[:3:-1][: len(bottom)]


def test_values_at_both_ends_are_those_of_a_pass(live, responses, corpus, llama):
    index = corpus.languages.index("ja")
    shown = last(live.tokens(1, 9))["shown"]
    rows = [*shown["top"][index], *shown["bottom"][index]]
    found = gather(llama, corpus.take(rows), [(1, 9)], responses.site, progress=False)
    expected = np.concatenate([found.drawn(sentence)[:, 0] for sentence in range(len(rows))])
    assert live.ends(1, 9, "ja") == {"language": "ja", "pieces": packed(expected, np.uint8)}
    with pytest.raises(SelectionError, match="the corpus has no 'xx'; choose one of 'en'"):
        live.ends(1, 9, "xx")


def parts(lines):
    """What the lines of an answer are about."""
    return ["how far" if "of" in line else next(name for name in PARTS if name in line) for line in lines]


def test_a_prepared_answer_is_that_of_a_pass_and_takes_none(llama, experts, responses, monkeypatch, tmp_path):
    fresh = Live(llama, experts, responses, folder=tmp_path)
    by_passes = list(fresh.answer(1, 9))
    assert parts(by_passes) == ["measures", "how far", "weights", "neighbours", "distribution", "distribution"]
    fresh.prepare()
    later = Live(llama, experts, responses, folder=tmp_path)
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)
    later.load()
    for live in (fresh, later):
        prepared = list(live.answer(1, 9))
        # Nothing is waited for: the weights of a large vocabulary take longest.
        assert parts(prepared) == ["measures", "distribution", "weights", "neighbours"]
        assert (prepared[0], *prepared[2:]) == (by_passes[0], *by_passes[2:4])
        assert prepared[1] == by_passes[-1]


def test_an_answer_says_on_how_many_sentences_it_rests(llama, experts, responses, corpus, monkeypatch):
    monkeypatch.setattr(sampled, "CHUNK", 5)
    live = Live(llama, experts, responses)
    live.load()
    lines = list(live.answer(1, 9))
    # The first sentences were run before anybody asked, and are answered from at once.
    assert parts(lines[:4]) == ["measures", "distribution", "weights", "neighbours"]
    far = [line["distribution"] for line in lines if "distribution" in line]
    assert [(one["sentences"], one["of"]) for one in far] == [(5, 24), (10, 24), (15, 24), (20, 24), (24, 24)]
    for one in far:
        assert sum(one["counts"]) == one["tokens"]
    assert far[0]["tokens"] < far[1]["tokens"] < far[-1]["tokens"] == len(gather_all(llama, corpus, responses))
    shown = next(line for line in lines if "distribution" in line)["shown"]
    named = {sentence for tokens in shown["intervals"] for sentence, _ in tokens}
    assert len(named) <= 5
    assert named <= set(range(24))


def gather_all(llama, corpus, responses):
    return gather(llama, corpus, [(1, 9)], responses.site, progress=False).values


def test_a_neuron_is_answered_before_what_is_computed_ahead_goes_on(llama, experts, responses, monkeypatch):
    monkeypatch.setattr(sampled, "CHUNK", 5)
    expected = last(Live(llama, experts, responses).tokens(1, 9))
    live = Live(llama, experts, responses)
    begun, go_on, passes = threading.Event(), threading.Event(), []

    def pass_of(model, corpus, neurons, *args, **options):
        passes.append("ahead" if threading.current_thread() is ahead else "asked")
        if len(passes) == 2:  # the second chunk of what is computed ahead
            begun.set()
            assert go_on.wait(10)
        return gather(model, corpus, neurons, *args, **options)

    monkeypatch.setattr(sampled, "gather", pass_of)
    ahead = threading.Thread(target=live.prepare)
    ahead.start()
    assert begun.wait(10)
    answer = live.answer(1, 9)
    # The model is busy; what takes no pass is there, and what the passes so far show.
    found = [next(answer) for _ in range(4)]
    assert parts(found) == ["measures", "distribution", "weights", "neighbours"]
    assert found[1]["distribution"]["sentences"] == 5
    go_on.set()
    found.append(next(answer))
    ahead.join(0.2)
    assert passes == ["ahead"] * 2, "also between its passes"
    found += answer
    ahead.join(10)
    chunks = -(-len(responses.corpus) // 5)
    assert passes == ["ahead"] * 2 + ["asked"] * (chunks - 2), "the question went first; no sentence was run twice"
    far = [line["distribution"]["sentences"] for line in found if "distribution" in line]
    assert far == [5, 10, 15, 20, len(responses.corpus)]
    assert found[-1] == expected


def test_every_scoring_gives_a_score_and_a_rank_among_all_neurons(live, responses):
    found = live.scorings(1, 9)
    aurocs = live.expertise.auroc
    own = responses.neurons.span(1).start + 9
    assert found["neurons"] == responses.neurons.total
    for language, (score, rank) in enumerate(found["scorings"]["auroc"]):
        assert score == pytest.approx(aurocs[own, language], abs=1e-4)
        assert rank == 1 + (aurocs[:, language] > aurocs[own, language]).sum()
    assert set(found["scorings"]) >= {"ap", "mean_difference", "token_mean_difference", "lape"}


def test_a_continuation_is_streamed_and_ends_as_continue_prompts_writes_it(live, llama, experts):
    *steps, end = live.continued(Wish.read(EXPERTS | {"texts": 2}))
    decoding = Decoding(max_new_tokens=6)

    def written():
        return continue_prompts(llama, [PROMPT], texts=2, seed=4, decoding=decoding, progress=False)[0]

    last = {step["side"]: step["texts"] for step in steps}
    assert last["before"] == [text.rstrip("\ufffd") for text in written()]
    with steer(llama, experts["ja"].head(3)):
        assert last["after"] == [text.rstrip("\ufffd") for text in written()]
    assert [step["side"] for step in steps] == ["before"] * 6 + ["after"] * 6
    assert np.shape(end["probabilities"]["after"]) == (2, len(end["languages"]))


def test_the_logits_that_changed_most_are_listed(live, llama, experts):
    *_, end = live.continued(Wish.read(EXPERTS))

    def logits():
        with torch.inference_mode():
            return llama(llama.to_tokens(PROMPT))[0, -1]

    before = logits()
    with steer(llama, experts["ja"].head(3)):
        change = logits() - before
    assert end["logits"][0][1] == pytest.approx(float(change.max()), rel=1e-2)
    assert end["logits"][-1][1] == pytest.approx(float(change.min()), rel=1e-2)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"by": "experts", "language": "ja", "k": 2, "operation": "add", "strength": 0.5}, ("add", 0.5, "mean", "all")),
        ({"by": "experts", "language": "ja", "k": 2, "first": 4}, ("set", 1.0, "mean", 4)),
        ({"by": "neuron", "neuron": "L1 N3", "value": 4.0, "operation": "raise"}, ("raise", 1.0, [4.0], "all")),
    ],
)
def test_what_is_asked_becomes_a_steering(asked, expected, live):
    made = live.steering(Held.read(asked))
    assert isinstance(made, Steering)
    value = made.value if isinstance(made.value, str) else list(made.value)
    assert (made.operation, made.strength, value, made.positions) == expected


def test_effects_are_given_for_every_language(live, corpus):
    found = list(live.effects(Held.read({"by": "neuron", "neuron": "L0 N3", "value": 50})))
    assert [row["language"] for row in found] == list(corpus.languages)
    assert max(abs(row["change"]) for row in found) > 1e-4


def test_the_shipped_setting_is_offered_for_the_model_that_it_was_found_with(live, mini, experts, responses):
    assert live.settings()["tuned"] == {}
    with pytest.raises(TLExpertsError, match="no setting for 'ja'"):
        live.steering(Held.read({"by": "tuned", "language": "ja"}))
    offered = Live(mini, experts, responses).settings()["tuned"]
    assert "language vector" in offered["es"]


@pytest.mark.parametrize(("layer", "neuron"), [(2, 0), (-1, 0), (1, 48), (1, -1)])
def test_a_neuron_that_the_model_lacks_raises_an_error(live, layer, neuron):
    assert live.neuron(1, 47)["neuron"] == [1, 47]
    questions = (live.neuron, live.scorings, partial(live.ends, language="ja"))
    steps = [lambda *asked, step=step: next(step(*asked)) for step in (live.answer, live.tokens)]
    for question in (*questions, *steps):
        with pytest.raises(SelectionError, match=rf"no neuron L{layer} N{neuron}: layers are 0 to 1"):
            question(layer, neuron)


def test_a_prompt_that_leaves_no_room_gets_advice_in_the_words_of_the_form(live):
    with pytest.raises(TLExpertsError, match=r"set 'tokens' to \d+ or less"):
        next(live.continued(Wish.read(EXPERTS | {"tokens": 10**4})))
    with pytest.raises(TLExpertsError, match=r"6 more do not fit; shorten it"):
        next(live.continued(Wish.read(EXPERTS | {"prompt": "猫" * 600})))


def test_more_experts_than_there_are_raise_an_error(live):
    with pytest.raises(SelectionError, match=r"ja has 5 experts; give 1 to 5"):
        live.steering(Held.read({"by": "experts", "language": "ja", "k": 6}))


def test_slow_scorings_are_those_of_the_scorings_themselves(live, llama, corpus, responses):
    tokens = collect_statistics(llama, corpus, quantiles=True, progress=False)
    evidence = Evidence(live.expertise, responses, tokens)
    own = responses.neurons.span(1).start + 9
    found = live.slow_scorings(1, 9)["scorings"]
    for name in ("dln", "probe"):
        expected = scored(SCORINGS[name], evidence)[own]
        for language, cell in enumerate(found[name]):
            assert (cell is None) == (expected[language] == -np.inf)
            assert cell is None or cell[0] == pytest.approx(expected[language], abs=1e-3)


def test_expected_tokens_are_the_most_probable_after_each_piece(live, llama, corpus):
    found = live.expected(3)["expected"]
    pieces = gather(llama, corpus.take([3]), [(0, 0)], live.responses.site, progress=False).drawn_pieces[0]
    assert len(found) == len(pieces)
    with torch.inference_mode():
        logits = llama(llama.to_tokens(corpus.texts[3], prepend_bos=True))[0, -1]
    best = logits.softmax(dim=-1).topk(3)
    assert [text for text, _ in found[-1]] == [llama.tokenizer.decode([token]) for token in best.indices.tolist()]
    assert [share for _, share in found[-1]] == pytest.approx(best.values.tolist(), rel=6e-3)  # three digits


@pytest.mark.parametrize("sentence", [-1, 10_000])
def test_a_sentence_that_does_not_exist_has_no_expected_tokens(sentence, live):
    with pytest.raises(SelectionError, match="does not exist: the corpus has 0 to"):
        live.expected(sentence)
