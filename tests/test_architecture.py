"""The design, held: arrows between modules point upwards, one module loads models, one writes files, none prints."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch

PACKAGE = Path(__file__).parent.parent / "tl_experts"

LAYERS = (
    ("errors",),
    ("languages", "launch"),
    ("sentences",),
    ("readers",),
    ("storage", "pairs"),
    ("shards",),
    ("geometry", "ranking", "statistics"),
    ("retrieval", "isotropy", "subspace", "distances"),
    ("batches",),
    ("models", "neurons"),
    ("responses", "distributed"),
    ("store",),
    ("streaming",),
    ("expertise",),
    ("experts",),
    ("selection", "interventions"),
    ("embeddings", "generation"),
    ("spreading",),
    ("demo", "study", "plots"),
    ("report", "tables"),
    ("inspector",),
    ("cli",),
    ("__main__",),
)
"""An import may only name a layer above its own; modules of one layer know nothing of each other."""

MODELS = (
    ("lens", "quiet", "catalogue", "allocator"),
    ("hooks",),
    ("forward", "passes", "tokens", "identity"),
    ("sites", "placement", "bridge", "wheels", "weights"),
    ("conversion",),
    ("loading",),
)
"""The same inside `tl_experts.models`."""


def modules(folder: Path = PACKAGE) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Everything a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def heights(layers) -> dict[str, int]:
    return {name: height for height, layer in enumerate(layers) for name in layer}


def test_every_module_has_its_place_in_the_design():
    tops = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in modules()} - {"__init__"}
    assert tops == set(heights(LAYERS))
    inner = {path.stem for path in modules(PACKAGE / "models")} - {"__init__"}
    assert inner == set(heights(MODELS))


def test_nothing_hangs_on_the_time_of_day():
    # A clock that jumps changes no result and loses no piece: durations come from a clock that only goes forward.
    for path in modules():
        text = path.read_text()
        assert "time.time(" not in text, path
        assert "datetime" not in text, path
        assert "st_mtime" not in text, path


def test_arrows_between_modules_point_upwards():
    height = heights(LAYERS)
    for path in modules():
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own == "__init__":
            continue  # the lazy front door
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "tl_experts" or len(parts) < 2 or parts[1] in (own, "__version__"):
                continue
            assert height[parts[1]] < height[own], f"{own} must not import {parts[1]}"


def test_arrows_inside_models_point_upwards():
    height = heights(MODELS)
    for path in modules(PACKAGE / "models"):
        if path.stem == "__init__":
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[:2] != ["tl_experts", "models"] or len(parts) < 3 or parts[2] == path.stem:
                continue
            assert height[parts[2]] < height[path.stem], f"{path.stem} must not import {parts[2]}"


def test_only_models_imports_transformer_lens_and_transformers():
    for path in modules():
        if path.parent.name == "models":
            continue
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"transformer_lens", "transformers"}, path


@pytest.mark.parametrize("writer", ["write_text", "write_bytes", "savetxt", "to_csv", "save_file", "mkdir", "touch"])
def test_only_storage_writes_files(writer):
    for path in modules():
        if path.name != "storage.py":
            assert f".{writer}(" not in path.read_text(), path


def test_nothing_is_pickled():
    for path in modules():
        assert not {"pickle", "dill", "cloudpickle", "joblib"} & {name.split(".")[0] for name in imports(path)}
        assert "torch.load" not in path.read_text()


def test_no_module_is_longer_than_400_lines():
    lengths = {path.name: len(path.read_text().splitlines()) for path in modules()}
    assert max(lengths.values()) <= 400, max(lengths, key=lengths.get)


def test_importing_the_package_loads_no_heavy_library():
    code = (
        "import sys, tl_experts; print([m for m in ('torch', 'transformers', 'pandas', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_imported():
    import tl_experts

    for name in tl_experts.__all__:
        assert getattr(tl_experts, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'find_expert'"):
        _ = tl_experts.find_expert
    assert set(tl_experts.__all__) <= set(dir(tl_experts))


def test_shapes_are_checked_in_the_test_run():
    from tl_experts.geometry import centre

    with pytest.raises(TypeError, match="centre"):
        centre(torch.zeros(3))
    assert centre(torch.zeros(3, 2)).shape == (3, 2)


def test_no_file_of_the_project_names_this_machine():
    root = PACKAGE.parent
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False).stdout
    for name in listed.splitlines():
        path = root / name
        if path.suffix in (".py", ".md", ".toml", ".ipynb", ".json", "") and path.is_file():
            assert "/wo" + "rk/" not in path.read_text(errors="ignore"), name
