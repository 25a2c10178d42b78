"""Hook names mean what Hugging Face computes there; unknown sites and hooks raise an error that lists near matches."""

from copy import deepcopy

import pytest
import torch

from tests.conftest import ARCHITECTURES
from tests.copies import own_copy
from tl_experts import collect_both, find_experts, store_responses, tune
from tl_experts.errors import InterventionError, ModelError, SiteError
from tl_experts.models import attached, hook_name, require_hooks, require_no_hooks, require_site
from tl_experts.models.hooks import active_hooks
from tl_experts.study import StudyConfig, run_study, tune_alignment
from tl_experts.study.comparison import CompareConfig, compare

TOKENS = torch.randint(3, 300, (3, 40), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_hook_post_is_what_enters_hugging_faces_down_projection(architecture, model_of, hugging_face):
    model, reference = model_of(architecture), hugging_face(architecture)
    seen = {}

    def note(layer):
        return lambda _module, args: seen.__setitem__(layer, args[0])

    names = ("down_proj", "dense_4h_to_h", "c_proj")
    downs = [m for n, m in reference.named_modules() if n.split(".")[-1] in names and "attn" not in n]
    handles = [down.register_forward_pre_hook(note(layer)) for layer, down in enumerate(downs)]
    try:
        with torch.inference_mode():
            reference(TOKENS)
            _, cache = model.run_with_cache(TOKENS)
    finally:
        for handle in handles:
            handle.remove()
    assert len(seen) == 2
    for layer, expected in seen.items():
        actual = cache[hook_name(layer, "mlp.hook_post")]
        assert actual.shape == expected.shape
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_unknown_site_and_hook_are_refused_with_near_matches(llama):
    with pytest.raises(SiteError, match=r"did you mean 'mlp\.hook_post'"):
        require_site(llama, "mlp.hook_pots")
    with pytest.raises(SiteError, match="layers 0 to 1"):
        require_hooks(llama, [("blocks.2.mlp.hook_post", print)])
    with pytest.raises(SiteError, match=r"blocks\.1\.mlp\.hook_post"):
        require_hooks(llama, [("blocks.1.mlp.hook_pots", print)])
    require_hooks(llama, [("blocks.1.mlp.hook_post", print)])


def test_what_is_no_lens_model_is_refused(hugging_face):
    with pytest.raises(ModelError, match=r"LlamaForCausalLM.*load_model"):
        require_site(hugging_face("llama"), "mlp.hook_post")


def zero(activation, hook):
    return torch.zeros_like(activation)


def test_a_copy_made_inside_a_block_is_free_once_the_block_ends(llama):
    """The copy keeps the handle, which nobody can remove; it does nothing and does not count as a hook."""
    name = hook_name(1, "hook_resid_post")
    with torch.inference_mode():
        plain = llama(TOKENS)
        with attached(llama, [(name, zero)]):
            edited = llama(TOKENS)
            copy = deepcopy(llama)
            assert name in active_hooks(llama)  # a bridge's point has two names
            assert name in active_hooks(copy)
            assert torch.equal(copy(TOKENS), edited)
        assert active_hooks(llama) == active_hooks(copy) == []
        assert torch.equal(copy(TOKENS), plain)
        with attached(copy, [(name, zero)]):
            assert name in active_hooks(copy)
            assert active_hooks(llama) == []
            assert torch.equal(copy(TOKENS), edited)
            assert torch.equal(llama(TOKENS), plain)


def test_a_hook_of_the_user_is_active(llama):
    copy = own_copy(llama)
    name = hook_name(0, "mlp.hook_post")
    copy.hook_dict[name].add_hook(zero)
    assert name in active_hooks(copy)


RECORDERS = {
    "responses": lambda model, corpus, _, folder: store_responses(model, corpus, folder),
    "experts": lambda model, corpus, _, folder: find_experts(model, corpus, k=5, folder=folder),
    "tuning": lambda model, corpus, found, folder: tune(model, found, corpus.languages[0], folder=folder),
    "alignment": lambda model, corpus, found, folder: tune_alignment(
        model, found, corpus.languages[0], corpus, corpus, folder=folder
    ),
    "study": lambda model, _, __, folder: run_study(StudyConfig("a", "llama", targets=("es",)), folder, model=model),
    "comparison": lambda model, _, __, folder: compare(
        CompareConfig("a", "llama", targets=("es",)), folder, model=model
    ),
}


@pytest.mark.parametrize("recorder", RECORDERS)
def test_results_of_a_model_with_hooks_are_not_recorded(recorder, llama, corpus, tmp_path):
    found = collect_both(llama, corpus, progress=False)
    with (
        attached(llama, [(hook_name(0, "mlp.hook_post"), zero)]),
        pytest.raises(InterventionError, match=r"hook at 'blocks\.0\.mlp\..*outside `steer`.*reset_hooks"),
    ):
        RECORDERS[recorder](llama, corpus, found, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_only_a_model_is_asked_for_its_hooks(llama):
    require_no_hooks(llama, "")
    with pytest.raises(ModelError, match="int"):
        require_no_hooks(5, "")
