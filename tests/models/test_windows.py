"""The windows that configurations state."""

import pytest
import transformers as hf

from tl_experts.models.windows import stated_windows


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            hf.Qwen2Config(num_hidden_layers=3, use_sliding_window=True, sliding_window=8, max_window_layers=1),
            [None, 8, 8],
        ),
        (hf.Qwen2Config(num_hidden_layers=2, use_sliding_window=False, sliding_window=8), [None, None]),
        (hf.MistralConfig(num_hidden_layers=2, sliding_window=4096), [4096, 4096]),
        (hf.MistralConfig(num_hidden_layers=2, sliding_window=None), [None, None]),
        (hf.GPTNeoConfig(num_layers=2, attention_types=[[["global", "local"], 1]]), [None, 256]),
        (hf.LlamaConfig(num_hidden_layers=1), [None]),
    ],
)
def test_the_windows_a_configuration_states(config, expected):
    assert stated_windows(config) == expected
