"""The decoder's logits are those of whole passes over each text alone."""

import pytest
import torch

from tl_experts import find_experts, steer
from tl_experts.models import Decoder
from tl_experts.models.lens import HAS_HOOKED_TRANSFORMER

ROWS = [[0, 45, 60, 77, 90, 31], [0, 50], [0, 61, 62, 63]]
WIDTH = max(map(len, ROWS))
TOKENS = torch.tensor([[2] * (WIDTH - len(row)) + row for row in ROWS])
ATTENDED = torch.tensor([[False] * (WIDTH - len(row)) + [True] * len(row) for row in ROWS])


def alone(model, row):
    with torch.inference_mode():
        return model(torch.tensor([row]))[0, -1].float()


@pytest.mark.parametrize("loader", ["model_of", "bridge_of"])
@pytest.mark.parametrize("architecture", ["llama", "bloom", "gpt2", "gemma3"])
def test_padded_rows_have_the_logits_of_the_texts_alone(request, architecture, loader):
    if loader == "model_of" and not HAS_HOOKED_TRANSFORMER:
        pytest.skip("the same as bridge_of")
    model = request.getfixturevalue(loader)(architecture)
    rows = [list(row) for row in ROWS]
    decoder = Decoder(model)
    logits = decoder.next_logits(TOKENS, ATTENDED)
    for _ in range(3):
        for row, found in zip(rows, logits, strict=True):
            torch.testing.assert_close(found, alone(model, row), rtol=1e-3, atol=1e-3)
        following = logits.argmax(-1)
        rows = [[*row, int(token)] for row, token in zip(rows, following, strict=True)]
        logits = decoder.next_logits(following[:, None])


def test_steering_leaves_padding_alone_and_the_model_as_it_was(llama, corpus):
    before = alone(llama, ROWS[1])
    with steer(llama, find_experts(llama, corpus, k=20, progress=False)["ja"]):
        found = Decoder(llama).next_logits(TOKENS, ATTENDED)
        for row, logits in zip(ROWS, found, strict=True):
            torch.testing.assert_close(logits, alone(llama, row), rtol=1e-3, atol=1e-3)
    assert torch.equal(alone(llama, ROWS[1]), before)
    with torch.inference_mode():
        assert llama(torch.tensor([ROWS[0]])).shape[1] == len(ROWS[0])
