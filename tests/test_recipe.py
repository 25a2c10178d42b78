"""The recipe of polyglot-mini: text, windows, training that resumes. The text is made up; nothing is downloaded."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

help_text = pytest.importorskip("help_text")

from documents import KINDS, Documents, Mixture  # noqa: E402
from help_text import HELP, LANGUAGES, PACKAGES, Paragraph, fetch, page_paragraphs, read_paragraphs, split_pages  # noqa: E402
from train import encoder, export, language_shares, load_tokenizer, train_from_text  # noqa: E402
from training import CHECKPOINT, Settings, build_model, build_optimizers, restore  # noqa: E402

from tl_experts import load_model  # noqa: E402
from tl_experts.errors import ArtefactError, TLExpertsError  # noqa: E402

WORDS = {language: [f"{language}{number}" for number in range(40)] for language in LANGUAGES}
TINY = Settings(
    vocabulary=300, width=16, heads=2, layers=2, neurons=24, window=32, batch=4, steps=12, warmup=2, bfloat16=False
)


def paragraphs(pages: int = 12, each: int = 5) -> list[Paragraph]:
    """Parallel nonsense: the same numbers in every language's words; Japanese lacks every third paragraph."""
    rng = np.random.default_rng(0)
    made = []
    for page, number in itertools.product(range(pages), range(each)):
        numbers = rng.integers(40, size=4)
        text = {language: " ".join(WORDS[language][number] for number in numbers) for language in LANGUAGES}
        if number % 3 == 0:
            del text["ja"]
        made.append(Paragraph(f"page{page}.html", f"par_id{number}", text))
    return made


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return load_tokenizer(tmp_path_factory.mktemp("work"), paragraphs(), TINY)


def documents(tokenizer, mixture=None, **options) -> Documents:
    settings = {"window": 64, "seed": 3} | options
    return Documents(
        paragraphs(), encoder(tokenizer), bos=tokenizer.bos_token_id, mixture=mixture or Mixture(), **settings
    )


# --- text ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<p id="par_id1">One &amp; two<br>three</p>', {"par_id1": "One & twothree"}),
        ('<p id="par_id1">a <span>b <i>c</i></span> d</p> outside', {"par_id1": "a b c d"}),
        ('<td><p id="par_id1">cell</p></td><h2 id="hd_id2">head</h2>', {"par_id1": "cell", "hd_id2": "head"}),
        ('<p id="par_id1">first</p><p id="par_id1">again</p>', {"par_id1": "first"}),
        ('<p id="bm_module">debug</p><p>no id</p><div id="Index">x</div>', {}),
        ('<pre id="par_id1">code()</pre><p id="par_id2" class="code">x = 1</p>', {}),
        ('<p id="par_id1">  \n </p>', {}),
        ("", {}),
    ],
)
def test_the_paragraphs_of_a_page_are_read(html, expected):
    assert page_paragraphs(html) == expected


def write_help(folder: Path, pages: dict[str, dict[str, dict[str, str]]]) -> None:
    for language, (_, name) in PACKAGES.items():
        for page, texts in pages.get(language, {}).items():
            path = folder / "root" / HELP / name / "text" / page
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f'<p id="{key}">{text}</p>' for key, text in texts.items()))


def test_untranslated_and_repeated_paragraphs_are_dropped(tmp_path):
    english = {"par_1": "Save the file.", "par_2": "SUM(A1:B2)", "par_3": "Save the file."}
    german = {"par_1": "Speichern Sie die Datei.", "par_2": "SUM(A1:B2)", "par_3": "Speichern Sie die Datei."}
    french = {"par_1": "Save the file."}
    write_help(tmp_path, {"en": {"a/x.html": english}, "de": {"a/x.html": german}, "fr": {"a/x.html": french}})
    [only] = read_paragraphs(tmp_path)
    assert only == Paragraph("a/x.html", "par_1", {"en": "Save the file.", "de": "Speichern Sie die Datei."})


def test_a_folder_without_help_pages_raises_an_error(tmp_path):
    with pytest.raises(TLExpertsError, match="no help pages"):
        read_paragraphs(tmp_path)


def test_no_held_out_text_is_in_training():
    made = [
        Paragraph(f"{number}.html", "par", {"en": f"text {number % 700}", "de": f"Text {number}"})
        for number in range(1000)
    ]
    training, held_out = split_pages(made)
    assert split_pages(made[::-1])[0] == training[::-1]  # only the page's name decides
    assert {p.page for p in training}.isdisjoint(p.page for p in held_out)
    assert {text for p in training for text in p.text.values()}.isdisjoint(
        text for p in held_out for text in p.text.values()
    )
    assert 20 <= len(held_out) <= 70
    assert len(training) > 900


def test_fetching_without_apt_raises_an_error_that_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TLExpertsError, match="apt-get is not installed"):
        fetch(tmp_path / "packages")
    assert not (tmp_path / "packages").exists()


# --- windows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"monolingual": 0.5, "pairs": 0.6, "switching": 0.0},
        {"monolingual": 1.2, "pairs": -0.2, "switching": 0.0},
        {"languages": {"en": 1.0, "xx": 1.0}},
        {"languages": {"en": 1.0}},
        {"languages": {"en": 1.0, "de": 0.0}},
    ],
)
def test_shares_that_do_not_add_up_raise_an_error(options):
    with pytest.raises(TLExpertsError, match="do not fit"):
        Mixture(**options)


def test_language_shares_are_parsed_or_raise_an_error():
    assert language_shares("") == dict.fromkeys(LANGUAGES, 1.0)
    assert language_shares("en=8, de=1") == {"en": 8.0, "de": 1.0}
    with pytest.raises(TLExpertsError, match="cannot be read"):
        language_shares("en:8")


def test_windows_depend_only_on_seed_and_step(tokenizer):
    one, other = documents(tokenizer), documents(tokenizer)
    other.windows(0, 4)  # what was drawn before does not matter
    np.testing.assert_array_equal(one.windows(7, 4), other.windows(7, 4))
    assert not np.array_equal(one.windows(7, 4), one.windows(8, 4))
    assert not np.array_equal(one.windows(7, 4), documents(tokenizer, seed=4).windows(7, 4))
    assert (one.windows(7, 4)[:, 0] == tokenizer.bos_token_id).all()
    assert one.windows(7, 4).shape == (4, 64)


def split_documents(made: Documents, tokenizer, steps: int = 100) -> list[str]:
    """The texts between BOS tokens; the last of each window may be cut and is left out."""
    texts = []
    for step in range(steps):
        for row in made.windows(step, 4):
            texts += tokenizer.decode(row).split(tokenizer.bos_token)[1:-1]
    return texts


def test_pairs_are_two_versions_of_one_paragraph_in_both_orders(tokenizer):
    made = documents(tokenizer, Mixture(monolingual=0, pairs=1, switching=0))
    known = {frozenset(text.values()): text for text in (p.text for p in paragraphs())}
    seen = set()
    for text in split_documents(made, tokenizer):
        first, second = text.split("\n")
        versions = next(versions for texts, versions in known.items() if {first, second} <= texts)
        seen.add(tuple(next(code for code, t in versions.items() if t == part) for part in (first, second)))
    assert ("en", "ja") in seen
    assert ("ja", "en") in seen
    assert len(seen) > 60
    assert all(one != other for one, other in seen)


def test_monolingual_pages_keep_and_switching_pages_change_their_language(tokenizer):
    def languages(mixture: Mixture) -> list[list[str]]:
        texts = split_documents(documents(tokenizer, mixture), tokenizer)
        return [[part[:2] for part in text.split("\n")] for text in texts]

    kept = languages(Mixture(monolingual=1, pairs=0, switching=0))
    assert all(len(set(codes)) == 1 for codes in kept)
    assert any(len(codes) > 1 for codes in kept)
    changed = [codes for codes in languages(Mixture(monolingual=0, pairs=0, switching=1)) if len(codes) > 1]
    assert sum(len(set(codes)) > 1 for codes in changed) > 0.8 * len(changed)


def test_documents_are_drawn_in_the_requested_shares(tokenizer):
    asked = Mixture(0.5, 0.3, 0.2, dict.fromkeys(LANGUAGES, 1.0) | {"en": 8.0})
    found = documents(tokenizer, asked).drawn_shares()
    assert sum(found[kind] for kind in KINDS) == pytest.approx(1)
    assert sum(found[language] for language in LANGUAGES) == pytest.approx(1)
    assert [found[kind] for kind in KINDS] == pytest.approx([0.5, 0.3, 0.2], abs=0.05)
    assert found["en"] > 0.4
    assert found["ja"] < 0.1
    only_two = documents(tokenizer, Mixture(languages={"de": 1.0, "fr": 1.0}))
    assert {text[:2] for text in split_documents(only_two, tokenizer)} == {"de", "fr"}


# --- training -----------------------------------------------------------------------------------------------------

needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch before 2.9 has no Muon")


class Killed(BaseException):
    """An interruption that no handler catches."""


def run(work: Path, settings: Settings = TINY, mixture: Mixture | None = None, **options):
    return train_from_text(
        paragraphs(), work, settings, mixture or Mixture(), torch.device("cpu"), compiled=False, every=5, **options
    )


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("torch before 2.9 has no Muon")
    work = tmp_path_factory.mktemp("uninterrupted")
    return work, run(work)


def weights(work: Path) -> dict[str, torch.Tensor]:
    model = build_model(TINY)
    restore(work, model, TINY)
    return model.state_dict()


@pytest.mark.parametrize("moments", [(0,), (4,), (5,), (7,), (11,), (3, 6, 8)])
def test_an_interrupted_run_ends_with_the_same_losses_and_weights(tmp_path, uninterrupted, monkeypatch, moments):
    drawn = Documents.windows
    pending = list(moments)

    def windows(self, step, count):
        if pending and step == pending[0]:
            pending.pop(0)
            raise Killed
        return drawn(self, step, count)

    monkeypatch.setattr(Documents, "windows", windows)
    for _ in moments:
        with pytest.raises(Killed):
            run(tmp_path)
    report = run(tmp_path)
    work, expected = uninterrupted
    assert not pending
    assert report["losses"] == expected["losses"]
    for name, weight in weights(work).items():
        assert torch.equal(weight, weights(tmp_path)[name]), name


def test_training_lowers_the_loss_and_reports_its_size(uninterrupted):
    _, report = uninterrupted
    losses = report["losses"]
    assert len(losses) == TINY.steps
    assert losses[0] == pytest.approx(np.log(300), rel=0.1)
    assert losses[-1] < losses[0] - 0.3
    assert report["tokens"] == 12 * 4 * 32
    assert report["parameters"] == sum(weight.numel() for weight in build_model(TINY).parameters())


def test_another_seed_gives_other_weights(tmp_path, uninterrupted):
    assert run(tmp_path, replace(TINY, seed=2))["losses"] != uninterrupted[1]["losses"]


def test_a_checkpoint_of_other_settings_raises_an_error(uninterrupted):
    with pytest.raises(ArtefactError, match=r"was made with \{'steps': 12\}"):
        run(uninterrupted[0], replace(TINY, steps=13))
    with pytest.raises(ArtefactError, match=r"was made with \{'pairs': 0.45, 'switching': 0.2\}"):
        run(uninterrupted[0], mixture=Mixture(0.35, 0.4, 0.25))


@needs_muon
def test_a_damaged_checkpoint_raises_an_error(tmp_path):
    run(tmp_path)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ArtefactError):
        run(tmp_path)


@needs_muon
def test_every_weight_has_one_optimizer_and_muon_gets_only_the_layers_matrices():
    model = build_model(TINY)
    muon, adamw = build_optimizers(model, TINY)
    inside = {id(w) for w in muon.param_groups[0]["params"]}
    rest = {id(w) for w in adamw.param_groups[0]["params"]}
    assert inside.isdisjoint(rest)
    assert inside | rest == {id(w) for w in model.parameters()}
    assert {name for name, w in model.named_parameters() if id(w) in rest and w.ndim == 2} == {
        "model.embed_tokens.weight"
    }


def test_the_exported_folder_loads_like_any_model(tmp_path, uninterrupted):
    work, report = uninterrupted
    export(work, TINY, report, tmp_path / "weights")
    model = load_model(tmp_path / "weights")
    assert (model.cfg.n_layers, model.cfg.d_model, model.cfg.d_mlp) == (2, 16, 24)
    assert model.to_tokens("en1 en2", prepend_bos=True)[0, 0] == model.tokenizer.bos_token_id == 0
    assert (
        model.tokenizer.decode(model.tokenizer("ja1 – 文書 12", add_special_tokens=False)["input_ids"])
        == "ja1 – 文書 12"
    )
    pad = model.tokenizer.pad_token_id
    assert model.tokenizer.pad_token == "<|padding|>"
    assert pad == len(model.tokenizer) - 1 != 0
    never = model.tokenizer.convert_tokens_to_ids("ÿ")
    assert torch.equal(model.W_E[pad], model.W_E[never])
    with pytest.raises(ArtefactError, match="exists already"):
        export(work, TINY, report, tmp_path / "weights")
