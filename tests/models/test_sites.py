"""Every site has the width that Hugging Face gives it."""

import pytest

from tests.conftest import ARCHITECTURES
from tl_experts.errors import SiteError
from tl_experts.models import SITES, require_site, site_widths


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_offered_site_has_the_width_hugging_face_gives_it(architecture, model_of):
    model = model_of(architecture)
    gated = architecture not in ("bloom", "gpt2")
    mlp = 48 if gated else 4 * 32
    widths = {"mlp.hook_post": mlp, "mlp.hook_pre": mlp, "hook_mlp_out": 32, "attn.hook_z": 32, "hook_resid_post": 32}
    if gated:
        widths["mlp.hook_pre_linear"] = mlp
    else:
        with pytest.raises(SiteError, match="not gated"):
            require_site(model, "mlp.hook_pre_linear")
    assert set(widths) | {"mlp.hook_pre_linear"} == set(SITES)
    for site, width in widths.items():
        assert site_widths(model, site) == (width, width)
