"""Interventions side by side: every row is what its own intervention makes of it."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from tl_experts import Steering, collect_statistics, find_experts, steer
from tl_experts.errors import ArtefactError, InterventionError
from tl_experts.models import track_passes
from tl_experts.steering import language_vector
from tl_experts.steering.side_by_side import SideBySide, rows_by_part
from tl_experts.steering.writing.continuing import Decoding, continue_prompts, continue_side_by_side

PROMPTS = ["Die Katze", "Every window in the old house", "猫は"]
GREEDY = Decoding(max_new_tokens=5, temperature=0)
TOKENS = torch.tensor([[0, 5, 6, 7], [0, 8, 9, 10], [0, 11, 12, 13], [0, 5, 6, 7]])


@pytest.fixture(scope="module")
def parts(model_of, corpus):
    model = model_of("llama")
    experts = find_experts(model, corpus, k=20, progress=False)["de"]
    vector = language_vector(collect_statistics(model, corpus, progress=False), "de")
    return [
        Steering(experts, "add", "mean", 3.0),
        replace(vector, strength=2.0, positions="generated"),
        Steering(experts, "zero", keep_norm=True, positions="last"),
        replace(vector, strength=2.0, positions=2),
    ]


def test_every_row_is_what_its_own_intervention_makes_of_it(llama, parts):
    with torch.inference_mode(), steer(llama, SideBySide((parts[0], parts[2]), ((0, 3), (2,)))):
        together = llama(TOKENS)
    for row, part in ((0, parts[0]), (1, None), (2, parts[2]), (3, parts[0])):
        with torch.inference_mode(), nullcontext() if part is None else steer(llama, part):
            alone = llama(TOKENS[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(together[0], llama(TOKENS[:1])[0], atol=1e-3)


def test_texts_are_those_of_one_intervention_after_the_other(llama, parts):
    found = continue_side_by_side(
        llama, PROMPTS, [None, *parts], texts=2, decoding=GREEDY, batch_size=7, progress=False
    )
    assert found[0] == continue_prompts(llama, PROMPTS, texts=2, decoding=GREEDY, progress=False)
    for part, texts in zip(parts, found[1:], strict=True):
        with steer(llama, part):
            assert texts == continue_prompts(llama, PROMPTS, texts=2, decoding=GREEDY, progress=False)
    assert found[0] != found[1] != found[2]


def test_padding_of_its_own_rows_is_left_alone(llama, parts):
    """The middle row is padded; its intervention sees the padding of that row, whatever the others have."""
    side = SideBySide((parts[0], parts[2]), ((0,), (1,)))
    padded = torch.tensor([[0, 5, 6, 7], [1, 1, 0, 8]])
    mask = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])
    with torch.inference_mode(), steer(llama, side):
        together = llama(padded, attention_mask=mask)
    with torch.inference_mode(), steer(llama, parts[2]):
        alone = llama(padded[1:], attention_mask=mask[1:])
    torch.testing.assert_close(together[1, 2:], alone[0, 2:], atol=1e-5, rtol=1e-5)


def test_it_leaves_no_trace_and_knows_its_parts(llama, model_of, parts):
    before = llama(TOKENS)
    side = rows_by_part([None, *parts[:2]], [0, 1, 2, 1])
    assert side.rows == ((1, 3), (2,))
    assert side.positions == "all"
    assert SideBySide((parts[1],), ((0,),)).positions == "generated"
    assert SideBySide((parts[3],), ((0,),)).positions == 2
    assert rows_by_part([None], [0, 0]) is None
    with steer(llama, side):
        pass
    assert torch.equal(llama(TOKENS), before)
    with pytest.raises(ArtefactError), steer(model_of("gpt2"), side):
        pass
    with track_passes(llama) as passes:
        assert side.hooks(passes)


@pytest.mark.parametrize("rows", [(), ((0,), (1,)), ((),), ((-1,),), ((2, 2),)])
def test_rows_that_do_not_belong_to_one_part_raise(parts, rows):
    with pytest.raises(InterventionError, match="rows"):
        SideBySide((parts[0],), rows)
