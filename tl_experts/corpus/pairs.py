"""Sentences in pairs: paraphrases of one language (PAWS-X), translations of two (Tatoeba, BUCC)."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tl_experts.corpus.bundled import data_folder
from tl_experts.corpus.cells import Column, aligned
from tl_experts.corpus.decoding import lines, plain_name, suffix
from tl_experts.corpus.languages import language_code, names_language
from tl_experts.corpus.layouts import PairFiles, pair_files, read_pair
from tl_experts.corpus.options import Blanks, Options
from tl_experts.corpus.records import Record
from tl_experts.corpus.sentences import Corpus
from tl_experts.corpus.tables import read_jsonl
from tl_experts.errors import CorpusError


@dataclass(frozen=True)
class Paraphrases:
    """Sentences of one language, each with a paraphrase.

    Raises:
        CorpusError: no rows, or columns of unequal length.
    """

    sentences: tuple[str, ...]
    paraphrases: tuple[str, ...]

    negatives: tuple[str, ...] = ()
    """Sentences that look like the row's sentence and mean something else; may be empty."""

    def __post_init__(self) -> None:
        """Check the lengths."""
        if not self.sentences or len(self.sentences) != len(self.paraphrases):
            raise CorpusError(
                f"{len(self.sentences)} sentences and {len(self.paraphrases)} paraphrases; "
                "expected the same number, at least 1"
            )


@dataclass(frozen=True)
class Pairs:
    """Translations, row by row."""

    languages: tuple[str, str]
    first: tuple[str, ...]
    second: tuple[str, ...]

    corpus: str = ""
    """The data set, where the files carry its name (``"tatoeba"``) or have its layout (``"bucc18"``); else empty."""


def load_paraphrases(source: str | Path = "bundled") -> dict[str, Paraphrases]:
    """Paraphrases by language.

    Args:
        source: ``"bundled"``; a JSON-lines file of ``language``, ``sentence``, ``paraphrase`` and, if there are any,
            ``negative``; or a PAWS-X folder: one folder per language with tab-separated ``id``, ``sentence1``,
            ``sentence2``, ``label`` (its ``test*`` file is read; label 1: paraphrases, 0: negatives).

    Raises:
        CorpusError: no such file, a column is missing, or a language has no paraphrase.

    Examples:
        >>> len(load_paraphrases()["ja"].sentences)
        60
    """
    path = data_folder() / "corpus" / "paraphrases.jsonl" if str(source) == "bundled" else Path(source).expanduser()
    if path.is_file():
        return _listed(path)
    folders = [folder for folder in sorted(path.glob("*")) if folder.is_dir()] if path.is_dir() else []
    if not folders:
        raise CorpusError(f"{path} holds no paraphrases; expected a JSON-lines file, or a folder per language (PAWS-X)")
    return {language_code(folder.name): _pawsx(folder) for folder in folders}


def load_pairs(folder: str | Path, *, blanks: Blanks = "drop") -> list[Pairs]:
    """All pairs of languages of a folder.

    Args:
        folder: with text files of one sentence a line: ``tatoeba.deu-eng.deu`` and ``tatoeba.deu-eng.eng`` (Tatoeba as
            LASER packs it), ``de-en.de`` and ``de-en.en`` (XTREME), ``Tatoeba.de-en.de`` and ``Tatoeba.de-en.en``
            (OPUS); with ``de-en.*.de``, ``de-en.*.en`` (id, tab, sentence) and ``de-en.*.gold`` (id, tab, id) as in
            BUCC-18, of which the gold pairs are read; or with ``de-en.jsonl`` of one sentence a language.
        blanks: ``"drop"`` a pair with a blank on either side, with a warning that counts them, or ``"refuse"`` it.

    Raises:
        CorpusError: the folder has none of these, files differ in length, or an id has no sentence.
    """
    options = Options(blanks=blanks)
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise CorpusError(f"{path} is not a folder; give one with Tatoeba, OPUS or BUCC files")
    gold = sorted(path.rglob("*.gold"))
    beside = {side for file in gold for side in gold_sides(file)}
    found = [
        *(_bucc(file, options) for file in gold),
        *(_text_pair(pair, options) for pair in pair_files(path, without=beside)),
        *(_json_pair(file, options) for file in sorted(path.iterdir()) if _is_json_pair(file)),
    ]
    if not found:
        raise CorpusError(f"{path} holds none of tatoeba.XXX-YYY.XXX, XX-YY.XX, XX-YY.*.gold and XX-YY.jsonl")
    return found


def _listed(path: Path) -> dict[str, Paraphrases]:
    rows: dict[str, list[Record]] = {}
    for number, row in enumerate(read_jsonl(path), start=1):
        try:
            rows.setdefault(language_code(row["language"]), []).append(row)
            _ = row["sentence"], row["paraphrase"]
        except (KeyError, CorpusError) as error:
            raise CorpusError(
                f"{path}, line {number}: expected an object with language, sentence and paraphrase ({error!r})"
            ) from error
    return {
        language: Paraphrases(
            tuple(row["sentence"] for row in mine),
            tuple(row["paraphrase"] for row in mine),
            tuple(row["negative"] for row in mine if row.get("negative")),
        )
        for language, mine in rows.items()
    }


def _pawsx(folder: Path) -> Paraphrases:
    files = sorted(folder.glob("test*.tsv")) or sorted(folder.glob("*.tsv"))
    if not files:
        raise CorpusError(f"{folder} has no .tsv file; PAWS-X has one per split")
    try:
        rows = list(
            csv.DictReader([line for line in lines(files[0]) if line.strip()], delimiter="\t", quoting=csv.QUOTE_NONE)
        )
    except csv.Error as error:
        raise CorpusError(f"{files[0]} is not a tab-separated table ({error}); correct or replace it") from error
    if not rows or not {"sentence1", "sentence2", "label"} <= set(rows[0]):
        raise CorpusError(
            f"{files[0]} has the columns {list(rows[0]) if rows else []}; expected sentence1, sentence2, label"
        )
    # A few rows of the published files are empty: the translation of that sentence failed.
    kept = [row for row in rows if (row["sentence1"] or "").strip() and (row["sentence2"] or "").strip()]
    positives = [row for row in kept if row["label"] == "1"]
    return Paraphrases(
        tuple(row["sentence1"] for row in positives),
        tuple(row["sentence2"] for row in positives),
        tuple(row["sentence2"] for row in kept if row["label"] == "0"),
    )


def _text_pair(pair: PairFiles, options: Options) -> Pairs:
    return _halves(pair.languages, read_pair(pair, options).corpus, pair.corpus.lower())


def gold_sides(gold: Path) -> tuple[Path, Path]:
    """The two files of sentences that a file of gold pairs is about."""
    first, second = _languages_of(
        gold.name.split(".")[0], lambda one, other: names_language(one) and names_language(other)
    )
    return gold.with_suffix(f".{first}"), gold.with_suffix(f".{second}")


def _bucc(gold: Path, options: Options) -> Pairs:
    paths = gold_sides(gold)
    sides = [_numbered(path) for path in paths]
    links = [line.split("\t") for line in lines(gold) if line.strip()]
    try:
        texts = [[side[link[at]] for link in links] for at, side in enumerate(sides)]
    except (KeyError, IndexError) as error:
        raise CorpusError(f"{gold}: no sentence for the id {error}") from error
    return _paired(gold, (paths[0].suffix[1:], paths[1].suffix[1:]), texts, options, "bucc18")


def _numbered(path: Path) -> dict[str, str]:
    return {number: text for number, _, text in (line.partition("\t") for line in lines(path) if line.strip())}


def _is_json_pair(path: Path) -> bool:
    return suffix(path) in (".jsonl", ".ndjson") and "-" in plain_name(path)


def _json_pair(path: Path, options: Options) -> Pairs:
    rows = list(read_jsonl(path))
    columns = {column for row in rows for column in row}
    stem = Path(plain_name(path)).stem
    # The columns say where the name is to be split: pt-BR-en holds pt-BR and en.
    names = _languages_of(stem, lambda one, other: {one, other} <= columns) if rows else _languages_of(stem, None)
    missing = next((row for row in rows for name in names if name not in row), None)
    if missing is not None:
        raise CorpusError(f"{path}: expected objects with {names[0]!r} and {names[1]!r}; one has {sorted(missing)}")
    return _paired(path, names, [[row[name] for row in rows] for name in names], options)


def _languages_of(name: str, fits: Callable[[str, str], bool] | None) -> tuple[str, str]:
    """Split ``A-B`` where both sides fit; where none does, at the first dash."""
    parts = name.split("-")
    splits = [("-".join(parts[:at]), "-".join(parts[at:])) for at in range(1, len(parts))]
    if not splits:
        raise CorpusError(f"{name!r} does not name two languages; expected a name such as 'de-en'")
    return next((split for split in splits if fits is not None and fits(*split)), splits[0])


def _paired(
    path: Path, names: tuple[str, str], texts: Sequence[list[str]], options: Options, corpus: str = ""
) -> Pairs:
    if len(texts[0]) != len(texts[1]) or not texts[0]:
        raise CorpusError(
            f"{path}: {len(texts[0])} and {len(texts[1])} sentences; expected the same number on both sides, at least 1"
        )
    columns = [Column(name, some, str(path)) for name, some in zip(names, texts, strict=True)]
    return _halves(names, aligned(str(path), columns, None, options).corpus, corpus)


def _halves(names: tuple[str, str], rows: Corpus, corpus: str) -> Pairs:
    first, second = map(language_code, names)
    return Pairs((first, second), rows[first].texts, rows[second].texts, corpus)
