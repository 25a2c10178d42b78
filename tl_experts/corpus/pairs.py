"""Sentences in pairs: paraphrases of one language (PAWS-X), translations of two (Tatoeba, BUCC)."""

import csv
from dataclasses import dataclass
from pathlib import Path

from tl_experts.corpus.bundled import data_folder
from tl_experts.corpus.languages import language_code
from tl_experts.corpus.readers import Record, decode, read_jsonl
from tl_experts.errors import CorpusError


@dataclass(frozen=True)
class Paraphrases:
    """Sentences of one language, row by row with a paraphrase.

    Raises:
        CorpusError: no rows, or columns of unequal length.
    """

    sentences: tuple[str, ...]
    paraphrases: tuple[str, ...]

    negatives: tuple[str, ...] = ()
    """Look like the sentence of the row and mean something else; may be none."""

    def __post_init__(self) -> None:
        """Check the lengths."""
        if not self.sentences or len(self.sentences) != len(self.paraphrases):
            raise CorpusError(
                f"{len(self.sentences)} sentences and {len(self.paraphrases)} paraphrases; expected as many, from one"
            )


@dataclass(frozen=True)
class Pairs:
    """Translations, row by row."""

    languages: tuple[str, str]
    first: tuple[str, ...]
    second: tuple[str, ...]

    corpus: str = ""
    """``"tatoeba"`` or ``"bucc18"``, by the files' layout; otherwise empty."""


def load_paraphrases(source: str | Path = "bundled") -> dict[str, Paraphrases]:
    """Paraphrases by language.

    Args:
        source: ``"bundled"``; a JSON-lines file of ``language``, ``sentence``, ``paraphrase`` and, if there are any,
            ``negative``; or a PAWS-X folder: one folder per language with tab-separated ``id``, ``sentence1``,
            ``sentence2``, ``label`` (its ``test*`` file is read; label 1: paraphrases, 0: negatives).

    Raises:
        CorpusError: nothing there, a column that lacks, or a language without a paraphrase.

    Examples:
        >>> len(load_paraphrases()["ja"].sentences)
        60
    """
    path = data_folder() / "corpus" / "paraphrases.jsonl" if str(source) == "bundled" else Path(source)
    if path.is_file():
        return _listed(path)
    folders = [folder for folder in sorted(path.glob("*")) if folder.is_dir()] if path.is_dir() else []
    if not folders:
        raise CorpusError(f"{path} holds no paraphrases; expected a JSON-lines file, or a folder per language (PAWS-X)")
    return {language_code(folder.name): _pawsx(folder) for folder in folders}


def load_pairs(folder: str | Path) -> list[Pairs]:
    """All pairs of languages of a folder.

    Args:
        folder: with ``tatoeba.deu-eng.deu`` and ``tatoeba.deu-eng.eng`` (Tatoeba as LASER packs it; one sentence a
            line); ``de-en.*.de``, ``de-en.*.en`` (id, tab, sentence) and ``de-en.*.gold`` (id, tab, id) as in BUCC-18,
            of which the gold pairs are read; or ``de-en.jsonl`` with one sentence a language.

    Raises:
        CorpusError: none of these there, files of unequal length, or an id without its sentence.
    """
    place = Path(folder)
    if not place.is_dir():
        raise CorpusError(f"{place} is no folder; give one with Tatoeba or BUCC files")
    found = [
        *(_bucc(gold) for gold in sorted(place.rglob("*.gold"))),
        *(_tatoeba(path) for path in sorted(place.glob("tatoeba.*-*.*")) if _is_first(path)),
        *(_json_pairs(path) for path in sorted(place.glob("*-*.jsonl"))),
    ]
    if not found:
        raise CorpusError(f"{place} holds neither tatoeba.XXX-YYY.XXX, XX-YY.*.gold nor XX-YY.jsonl")
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
        rows = list(csv.DictReader(_lines(files[0]), delimiter="\t", quoting=csv.QUOTE_NONE))
    except csv.Error as error:
        raise CorpusError(f"{files[0]} is no tab-separated table ({error}); mend or replace it") from error
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


def _is_first(path: Path) -> bool:
    pair, _, side = path.name.removeprefix("tatoeba.").rpartition(".")
    return pair.split("-")[0] == side


def _tatoeba(path: Path) -> Pairs:
    first, second = path.name.removeprefix("tatoeba.").rpartition(".")[0].split("-", 1)
    other = path.with_name(f"tatoeba.{first}-{second}.{second}")
    if not other.is_file():
        raise CorpusError(f"{path} is there, but its other half {other.name} is not")
    return _paired(path, (first, second), _lines(path), _lines(other), "tatoeba")


def _bucc(gold: Path) -> Pairs:
    first, second = gold.name.split(".")[0].split("-", 1)
    sides = [_numbered(gold.with_suffix(f".{side}")) for side in (first, second)]
    links = [line.split("\t") for line in _lines(gold)]
    try:
        one, other = ([side[link[at]] for link in links] for at, side in enumerate(sides))
    except (KeyError, IndexError) as error:
        raise CorpusError(f"{gold}: no sentence for the id {error}") from error
    return _paired(gold, (first, second), one, other, "bucc18")


def _numbered(path: Path) -> dict[str, str]:
    return {number: text for number, _, text in (line.partition("\t") for line in _lines(path))}


def _json_pairs(path: Path) -> Pairs:
    first, second = path.stem.split("-", 1)
    rows = list(read_jsonl(path))
    try:
        return _paired(path, (first, second), [row[first] for row in rows], [row[second] for row in rows])
    except KeyError as error:
        raise CorpusError(f"{path}: expected objects with {first!r} and {second!r} ({error!r})") from error


def _paired(path: Path, names: tuple[str, str], first: list[str], second: list[str], corpus: str = "") -> Pairs:
    if len(first) != len(second) or not first:
        raise CorpusError(f"{path}: {len(first)} and {len(second)} sentences; expected as many on both sides, from one")
    one, other = map(language_code, names)
    return Pairs((one, other), tuple(first), tuple(second), corpus)


def _lines(path: Path) -> list[str]:
    return [line for line in decode(path).split("\n") if line.strip()]
