"""Many prompts at once: each text is what the model writes for its prompt alone."""

from itertools import pairwise

import pytest
import torch

from tl_experts import Decoding, continue_prompts, find_experts, steer
from tl_experts.errors import ModelError, TLExpertsError
from tl_experts.steering.writing.continuing import stream_prompt

PROMPTS = ["Die Katze", "Every window in the old house", "猫は"]
QUIET = {"progress": False}
GREEDY = Decoding(max_new_tokens=5, temperature=0)


def greedy_by_hand(model, prompt, count):
    tokens = [0, *model.tokenizer(prompt, add_special_tokens=False)["input_ids"]]
    start = len(tokens)
    with torch.inference_mode():
        for _ in range(count):
            tokens.append(int(model(torch.tensor([tokens]))[0, -1].argmax()))
    special = {model.tokenizer.bos_token_id, model.tokenizer.eos_token_id, model.tokenizer.pad_token_id}
    new = tokens[start:]
    return model.tokenizer.decode(new[: next((at for at, token in enumerate(new) if token in special), count)])


def test_greedy_texts_are_those_of_each_prompt_alone(llama):
    found = continue_prompts(llama, PROMPTS, texts=2, decoding=GREEDY, **QUIET)
    for prompt, texts in zip(PROMPTS, found, strict=True):
        assert texts == [greedy_by_hand(llama, prompt, 5)] * 2


def test_a_text_depends_on_prompt_and_seed_alone(llama):
    decoding = Decoding(max_new_tokens=6)
    whole = continue_prompts(llama, PROMPTS, texts=3, seed=4, decoding=decoding, **QUIET)
    assert len({text for texts in whole for text in texts}) > 6
    small = continue_prompts(llama, PROMPTS[::-1], texts=3, seed=4, decoding=decoding, batch_size=2, **QUIET)
    assert small == whole[::-1]
    later = continue_prompts(llama, PROMPTS[:1], seed=6, decoding=decoding, **QUIET)
    assert later == [whole[0][2:]]


def test_steering_acts_and_leaves(llama, corpus):
    plain = continue_prompts(llama, PROMPTS, decoding=GREEDY, **QUIET)
    with steer(llama, find_experts(llama, corpus, k=20, progress=False)["ja"]):
        assert continue_prompts(llama, PROMPTS, decoding=GREEDY, **QUIET) != plain
    assert continue_prompts(llama, PROMPTS, decoding=GREEDY, **QUIET) == plain


def test_a_repetition_penalty_is_hugging_faces(llama):
    from transformers import RepetitionPenaltyLogitsProcessor

    penalise, count = RepetitionPenaltyLogitsProcessor(1.5), 12
    tokens = [0, *llama.tokenizer(PROMPTS[0], add_special_tokens=False)["input_ids"]]
    start = len(tokens)
    with torch.inference_mode():
        for _ in range(count):
            row = torch.tensor([tokens])
            tokens.append(int(penalise(row, llama(row)[:, -1].float()).argmax()))
    decoding = Decoding(count, temperature=0, repetition_penalty=1.5)
    [[text]] = continue_prompts(llama, PROMPTS[:1], decoding=decoding, **QUIET)
    assert llama.tokenizer.decode(tokens[start:]).startswith(text)
    assert text != continue_prompts(llama, PROMPTS[:1], decoding=Decoding(count, temperature=0), **QUIET)[0][0]


def test_the_space_belongs_to_the_text(mini):
    [[text]] = continue_prompts(mini, ["To open a file,"], decoding=Decoding(8, temperature=0), **QUIET)
    assert text.startswith(" ")
    ids = mini.tokenizer("To open a file," + text, add_special_tokens=False)["input_ids"]
    assert len(ids) == len(mini.tokenizer("To open a file,", add_special_tokens=False)["input_ids"]) + 8


def test_a_chat_template_frames_the_prompt(llama, monkeypatch):
    with pytest.raises(ModelError, match="no chat template"):
        continue_prompts(llama, PROMPTS, decoding=Decoding(4, chat=True), **QUIET)
    template = "{{ bos_token }}{% for m in messages %}Q: {{ m.content }} A:{% endfor %}"
    monkeypatch.setattr(llama.tokenizer, "chat_template", template, raising=False)
    [[answer]] = continue_prompts(llama, ["Brot?"], decoding=Decoding(4, temperature=0, chat=True), **QUIET)
    assert answer.strip() == greedy_by_hand(llama, "Q: Brot? A:", 4).strip()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"max_new_tokens": 1.5}, "max_new_tokens is 1.5"),
        ({"temperature": -1}, "temperature is -1"),
        ({"top_p": 0}, "top_p is 0"),
        ({"top_p": "0.9"}, "top_p is '0.9'"),
        ({"repetition_penalty": 0}, "repetition_penalty is 0"),
        ({"chat": "yes"}, "chat 'yes' is not known"),
    ],
)
def test_an_option_out_of_its_range_raises_an_error(options, message, unchecked):
    with pytest.raises(TLExpertsError, match=message):
        Decoding(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": []}, "prompts is empty"),
        ({"prompts": "Die Katze"}, "prompts is the string"),
        ({"texts": 0}, "texts is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"decoding": Decoding(max_new_tokens=511)}, "do not fit the context of 512"),
    ],
)
def test_bad_arguments_raise_an_error(llama, options, message, unchecked):
    arguments = {"prompts": PROMPTS} | options
    with pytest.raises(TLExpertsError, match=message):
        continue_prompts(llama, **arguments, **QUIET)


def test_a_streamed_prompt_grows_token_by_token_to_the_same_texts(llama):
    decoding = Decoding(max_new_tokens=6)
    (expected,) = continue_prompts(llama, PROMPTS[:1], texts=2, seed=4, decoding=decoding, **QUIET)
    steps = list(stream_prompt(llama, PROMPTS[0], texts=2, seed=4, decoding=decoding))
    assert steps[-1] == expected
    assert 1 < len(steps) <= 6
    for earlier, later in pairwise(steps):
        assert all(new.startswith(old.rstrip("\ufffd")) for old, new in zip(earlier, later, strict=True))


def test_a_stream_that_is_left_early_leaves_the_model_as_it_was(llama, corpus):
    experts = find_experts(llama, corpus, k=20, progress=False)["ja"]
    plain = continue_prompts(llama, PROMPTS, decoding=GREEDY, **QUIET)
    with steer(llama, experts):
        steps = stream_prompt(llama, PROMPTS[0], decoding=GREEDY)
        next(steps)
        steps.close()
    assert continue_prompts(llama, PROMPTS, decoding=GREEDY, **QUIET) == plain
    with pytest.raises(TLExpertsError, match="texts is 0"):
        next(stream_prompt(llama, PROMPTS[0], texts=0))
