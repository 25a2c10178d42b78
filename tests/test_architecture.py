"""The design, held: arrows between modules point upwards, one module loads models, one writes files, none prints."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "tl_experts"

FLOW = (
    ("errors",),
    ("jobs", "corpus", "analysis"),
    ("models",),
    ("responses",),
    ("experts",),
    ("steering",),
    ("embeddings",),
    ("study",),
    ("plots",),
    ("pages",),
    ("cli",),
    ("__main__",),
)
"""The packages in the order of the flow: an import may only name a row above its own. README.md lists them alike."""

INNER = {
    "jobs": (
        ("paths",),
        ("files", "checks"),
        ("folders", "arrays", "artefacts", "tables"),
        ("job", "workers", "launch"),
        ("pieces", "stages"),
    ),
    "corpus": (
        ("languages", "bundled", "decoding", "features"),
        ("options", "identify", "sentence_encoder"),
        ("known", "sentences"),
        ("cells",),
        ("records", "tables"),
        ("frames",),
        ("layouts",),
        ("readers", "pairs"),
    ),
    "analysis": (
        ("arrays",),
        ("vectors", "statistics"),
        ("retrieval", "isotropy", "subspace", "distances", "diagonality"),
    ),
    "models": (
        (
            "lens",
            "quiet",
            "catalogue",
            "allocator",
            "batches",
            "pooling",
            "dtypes",
            "checksums",
            "scope",
            "windows",
            "in_memory",
        ),
        ("hooks", "lean_block"),
        ("evaluation", "probe", "lean", "vocabulary"),
        ("forward", "passes", "tokens", "identity", "decoding"),
        ("branches", "sites", "placement", "bridge", "wheels", "weights", "losses", "shared_weights"),
        ("conversion", "divergence"),
        ("loading",),
        ("source",),
    ),
    "responses": (
        ("neurons", "reading"),
        ("collect", "sketch"),
        ("exact",),
        ("token_statistics",),
        ("token_sums",),
        ("kept_sums", "statistics_pass", "random_tokens"),
        ("store",),
        ("collect_to_disk",),
    ),
    "experts": (
        ("auroc", "lape", "hub", "card", "control", "combine", "masks"),
        ("expertise", "saved"),
        ("evidence",),
        ("differences", "dln", "entropy", "measured", "probe"),
        ("experts", "scorings"),
        ("find", "own", "leave_out", "overlap"),
    ),
    "steering": (
        ("operations", "norms", "positions", "maps", "sampling", "matrix", "choices", "wording"),
        ("edits", "generation"),
        ("neurons",),
        ("steering", "affine", "subspaces"),
        ("interventions", "vectors"),
        ("side_by_side",),
        ("transport", "directions", "silencing", "fallback", "writing"),
        ("tuning",),
    ),
    "steering.tuning": (("space",), ("building", "trials"), ("search", "result", "shipped"), ("tuner",)),
    "steering.writing": (
        ("words", "language", "prompts", "fluency", "meaning"),
        ("repetition", "passes", "continuing"),
        ("measures",),
    ),
    "embeddings": (("embeddings", "passes"), ("conditions", "embed_to_disk", "encoder")),
    "study": (
        ("config", "paper"),
        ("result", "splits", "spaces"),
        ("bench", "silenced", "aligning"),
        ("measures", "written", "comparison"),
        ("stages",),
        ("run", "verdict"),
    ),
    "study.comparison": (
        ("config", "views", "romaniser", "scaling"),
        ("methods", "result", "prompts", "ceiling"),
        ("bench",),
        ("texts",),
        ("writing", "costs", "equal", "cause", "alignment"),
        ("evidence", "chosen"),
        ("headline", "layers", "romanised", "scripts"),
        ("conclusion", "stages"),
        ("run",),
    ),
    "study.aligning": (("space", "trials"), ("reader",), ("result",), ("tuner",)),
    "study.stages": (
        ("experts", "sweep", "space", "retrieval", "baselines", "controls", "paraphrases", "correlations", "silencing"),
    ),
    "plots": (
        ("style",),
        ("maps",),
        (
            "experts",
            "retrieval",
            "methods",
            "space",
            "sweep",
            "silencing",
            "fallback",
            "tuning",
            "comparison",
            "aligning",
        ),
    ),
    "pages": (("reporting",), ("report", "inspector", "comparison")),
    "pages.reporting": (("columns", "page"), ("tables", "figures", "summary")),
    "pages.inspector": (
        ("gather", "saved", "measured", "distribution", "effects", "compared", "turns", "kept", "neighbours"),
        ("weight_view", "asked"),
        ("records", "sampled"),
        ("page",),
        ("inspection",),
        ("live",),
        ("loading",),
        ("runs", "server"),
    ),
    "cli": (
        ("demo", "options", "output"),
        ("catalogue", "demo_tables", "groups", "steered", "aligning", "streaming"),
        ("comparing", "finding", "inspecting", "writing", "embedding", "generating"),
        ("commands",),
    ),
}
"""The same inside each package."""

WRITERS = ("files", "folders", "artefacts", "tables")
"""The modules of `jobs` that write files. All go through `files.written`, which renames a whole file."""


def modules(folder: Path = PACKAGE) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py"))


def imports(path: Path, *, for_types: bool = True) -> set[str]:
    """Everything a file imports, also inside functions; `for_types`: imports under TYPE_CHECKING, too."""
    found = set()
    tree = ast.parse(path.read_text())
    if not for_types:
        tree.body = [
            node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
        ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def heights(layers) -> dict[str, int]:
    return {name: height for height, layer in enumerate(layers) for name in layer}


def children(folder: Path) -> set[str]:
    """The modules and packages directly inside a folder."""
    names = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    return names - {"__init__"}


def test_every_module_has_its_place_in_the_design():
    assert children(PACKAGE) == set(heights(FLOW))
    packages = {".".join(path.parent.relative_to(PACKAGE).parts) for path in PACKAGE.glob("*/**/__init__.py")}
    assert packages == set(INNER)
    for package, rows in INNER.items():
        assert children(PACKAGE.joinpath(*package.split("."))) == set(heights(rows)), package


def test_the_package_has_few_entries():
    assert len([path for path in PACKAGE.iterdir() if path.name not in ("__pycache__", "_data")]) <= 16


def test_nothing_hangs_on_the_time_of_day():
    # A clock that jumps changes no result and loses no piece: durations come from a clock that only goes forward.
    for path in modules():
        text = path.read_text()
        assert "time.time(" not in text, path
        assert "datetime" not in text, path
        assert "st_mtime" not in text, path


def require_upward(inside: str, rows, *, for_types: bool) -> None:
    """Each module below a dotted package imports only from rows above its own."""
    height = heights(rows)
    root = PACKAGE.joinpath(*inside.split(".")[1:])
    for path in modules(root):
        own = path.relative_to(root).parts[0].removesuffix(".py")
        if own == "__init__":
            continue  # the facade
        for name in imports(path, for_types=for_types):
            if not name.startswith(f"{inside}."):
                continue
            other = name.removeprefix(f"{inside}.").split(".")[0]
            if other not in (own, "__version__"):
                assert height[other] < height[own], f"{inside}: {path.stem} ({own}) must not import {other}"


def test_arrows_between_packages_point_upwards():
    require_upward("tl_experts", FLOW, for_types=True)


@pytest.mark.parametrize("package", INNER)
def test_arrows_inside_a_package_point_upwards(package):
    # Inside a package, types alone may point down: an inspection renders itself by a page that is annotated with it.
    require_upward(f"tl_experts.{package}", INNER[package], for_types=False)


def test_jobs_knows_neither_torch_nor_languages():
    names = ", ".join(f"tl_experts.jobs.{name}" for name in sorted(children(PACKAGE / "jobs")))
    code = f"import sys, {names}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_only_models_imports_transformer_lens_and_transformers():
    for path in modules():
        if path.parent.name == "models":
            continue
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"transformer_lens", "transformers"}, path


@pytest.mark.parametrize("writer", ["write_text", "write_bytes", "savetxt", "to_csv", "save_file", "mkdir", "touch"])
def test_only_jobs_writes_files(writer):
    allowed = {PACKAGE / "jobs" / f"{name}.py" for name in WRITERS}
    for path in modules():
        if path not in allowed:
            assert f".{writer}(" not in path.read_text(), path


def test_nothing_is_pickled():
    for path in modules():
        assert not {"pickle", "dill", "cloudpickle", "joblib"} & {name.split(".")[0] for name in imports(path)}
        # PyTorch's restricted unpickler reads the mask files of LAPE, and nothing else.
        assert path.stem == "masks" or "torch.load" not in path.read_text()


def test_no_module_is_longer_than_400_lines():
    lengths = {path.name: len(path.read_text().splitlines()) for path in modules()}
    assert max(lengths.values()) <= 400, max(lengths, key=lengths.get)


UNTESTED = {"__main__": "one call of cli.commands.main; the tests that start a process run it"}
"""Modules without a test file of their name, each with its reason."""

TESTS_OF_MORE = {
    "bad_inputs/test_bad_inputs": "bad inputs of every public function",
    "cli/test_interrupt": "whole runs that are interrupted, by several processes and on a full disk",
    "fuzzing/test_fuzzing": "damaged files of every kind",
    "benchmarks/test_pages": "the script of its name",
    "benchmarks/test_rehearsal": "the script of its name",
    "benchmarks/test_scale": "the script of its name",
    "pages/inspector/test_browser": "the inspector in a real browser",
    "pages/inspector/test_browser_growing": "the same while sentences are still being read",
    "plots/test_plots": "what holds of every figure",
}
"""Test files of several modules, each with its reason; those at the top level are of the project."""


def test_every_module_has_a_test_file_of_its_name():
    names = {path.relative_to(PACKAGE).with_suffix("") for path in modules() if path.name != "__init__.py"}
    tested = {name for name in names if (TESTS / name.parent / f"test_{name.name}.py").is_file()}
    assert {str(name) for name in names - tested} == set(UNTESTED)


def test_every_test_file_belongs_to_a_module():
    for path in TESTS.rglob("test_*.py"):
        name = path.relative_to(TESTS).with_suffix("")
        if path.parent == TESTS or str(name) in TESTS_OF_MORE:
            continue
        words = name.name.removeprefix("test_").split("_")
        # A module of many tests has further files: test_<module>_<topic>.py.
        candidates = [PACKAGE / name.parent / f"{'_'.join(words[:end])}.py" for end in range(1, len(words) + 1)]
        assert any(candidate.is_file() for candidate in candidates), path


def test_no_test_file_is_longer_than_400_lines():
    lengths = {path: len(path.read_text().splitlines()) for path in TESTS.rglob("*.py")}
    assert max(lengths.values()) <= 400, max(lengths, key=lengths.get)


def test_importing_the_package_loads_no_heavy_library():
    code = (
        "import sys, tl_experts; print([m for m in ('torch', 'transformers', 'pandas', 'numba') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_command_line_is_described_without_transformer_lens():
    # All of the package that the site's build executes: the marker `site` rests on it.
    code = "import sys, tl_experts.cli.commands; print('transformer_lens' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_catalogue_of_models_loads_no_heavy_library():
    code = (
        "import sys, tl_experts.models; from tl_experts.models import available_models; "
        "print([m for m in ('torch', 'transformers', 'numpy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_lazy_package_has_all_the_names_that_it_lists():
    import tl_experts.models as facade

    for name in facade.__all__:
        assert getattr(facade, name) is not None
    with pytest.raises(AttributeError, match=r"module 'tl_experts\.models' has no attribute 'load_modle'"):
        _ = facade.load_modle


def test_every_public_name_can_be_imported():
    import tl_experts

    for name in tl_experts.__all__:
        assert getattr(tl_experts, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'find_expert'"):
        _ = tl_experts.find_expert
    assert set(tl_experts.__all__) <= set(dir(tl_experts))


def test_shapes_are_checked_in_the_test_run():
    from tl_experts.analysis.vectors import centre

    with pytest.raises(TypeError, match="centre"):
        centre(torch.zeros(3))
    assert centre(torch.zeros(3, 2)).shape == (3, 2)


@pytest.mark.parametrize("library", ["torch", "transformers", "transformer_lens", "pandas"])
def test_the_hook_that_checks_shapes_does_not_compile_a_library(library):
    # Its modules' own imports would be compiled in every process: see conftest.py.
    assert "jaxtyping" in sys.modules["tl_experts.analysis"].__spec__.cached
    assert "jaxtyping" not in sys.modules[library].__spec__.cached


def test_no_file_of_the_project_names_this_machine():
    root = PACKAGE.parent
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False).stdout
    for name in listed.splitlines():
        path = root / name
        if path.suffix in (".py", ".md", ".toml", ".ipynb", ".json", "") and path.is_file():
            assert "/wo" + "rk/" not in path.read_text(errors="ignore"), name
