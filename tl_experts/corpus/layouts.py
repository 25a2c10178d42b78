"""Folders of sentences: a small function for each layout of data sets, recognised by the names of its files."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tl_experts.corpus.cells import Rows, aligned, require_found, warn
from tl_experts.corpus.decoding import plain_name, suffix
from tl_experts.corpus.frames import read_object, read_texts, require_no_split, text_columns
from tl_experts.corpus.languages import code_of_name, language_code, names_language, require_distinct
from tl_experts.corpus.options import Options
from tl_experts.corpus.records import Record, Table, read_table
from tl_experts.corpus.sentences import Corpus, concatenate
from tl_experts.corpus.tables import is_table, language_of, read_file
from tl_experts.errors import CorpusError

Layout = Callable[[Path, Options], Corpus | None]

SPLITS = ("dev", "devtest", "test", "train", "valid", "validation")
_NTREX = re.compile(r"newstest2019-(?:src|ref)\.(?P<language>[^.]+)\.txt")
_ABOUT = re.compile(r"(readme|licen[cs]e|changelog|citation|metadata|\.)", re.IGNORECASE)


@dataclass(frozen=True)
class PairFiles:
    """Two text files whose n-th lines are translations of each other."""

    name: str
    """What stands before the suffixes: ``tatoeba.spa-eng``, ``es-en``."""

    languages: tuple[str, str]
    paths: tuple[Path, Path]

    @property
    def corpus(self) -> str:
        """The name of the data set, if the files carry one."""
        return self.name.rpartition(".")[0]


def read_folder(folder: Path, options: Options) -> Corpus:
    """The corpus of a folder, by the first layout that fits.

    Raises:
        CorpusError: no layout fits, or the files do not hold what their layout promises.
    """
    if options.split is not None and (folder / options.split).is_dir():
        return read_folder(folder / options.split, replace(options, split=None))
    for layout in LAYOUTS:
        found = layout(folder, options)
        if found is not None:
            return found
    inside = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    hint = f"; its folders are {', '.join(inside[:8])}: give one of them, or split=" if inside else ""
    raise CorpusError(
        f"{folder} holds no file named like a language ('en.txt', 'deu_Latn.txt', 'eng_Latn.dev', 'es-en.es', "
        f"'en.jsonl'); one each is expected{hint}{_full_names(folder)}"
    )


def _saved_dataset(folder: Path, options: Options) -> Corpus | None:
    """A data set or dictionary of splits that `datasets` has saved to disk."""
    if not any((folder / name).is_file() for name in ("state.json", "dataset_dict.json")):
        return None
    from datasets import load_from_disk

    try:
        source = load_from_disk(str(folder))
    except Exception as error:  # of many types
        raise CorpusError(f"{folder} cannot be read as a saved data set: {error}") from error
    return read_object(source, options)


def _flores(folder: Path, options: Options) -> Corpus | None:
    """FLORES-101 and FLORES-200: ``eng_Latn.dev``, ``eng_Latn.devtest``, in folders of these names or side by side."""
    found = {
        path: path.suffix[1:] for path in _files(folder) if path.suffix[1:] in SPLITS and names_language(path.stem)
    }
    if not found:
        return None
    splits = sorted(set(found.values()))
    if options.split not in (splits if len(splits) > 1 else (None, *splits)):
        raise CorpusError(f"{folder} has the splits {', '.join(splits)}; say which (split={splits[0]!r})")
    files = {path.stem: path for path, split in found.items() if split == (options.split or splits[0])}
    _warn_of_others(folder, found, options)
    return read_texts(str(folder), _wanted(files, options, folder), replace(options, aligned=True))


def _ntrex(folder: Path, options: Options) -> Corpus | None:
    """NTREX-128: ``newstest2019-src.eng.txt``, ``newstest2019-ref.deu.txt``."""
    found = {path: match["language"] for path in _files(folder) if (match := _NTREX.fullmatch(plain_name(path)))}
    return _one_text_each(folder, found, replace(options, aligned=True)) if found else None


def _pairs(folder: Path, options: Options) -> Corpus | None:
    """Pairs of text files: LASER's and XTREME's Tatoeba, OPUS in Moses's format."""
    found = pair_files(folder)
    if not found:
        return None
    require_no_split(options, str(folder))
    _warn_of_others(folder, [path for pair in found for path in pair.paths], options)
    codes = {pair.name: tuple(map(language_code, pair.languages)) for pair in found}
    require_distinct((language for pair in found for language in pair.languages), str(folder))
    require_found(options.wanted, (code for both in codes.values() for code in both), str(folder))
    several = options.wanted is not None and len(options.wanted) > 1
    chosen = [p for p in found if (all if several else any)(map(options.wants, codes[p.name]))]
    if not chosen:
        raise CorpusError(
            f"{folder} has no pair of {', '.join(options.wanted or ())}; its pairs are {', '.join(sorted(codes))}"
        )
    parts = [read_pair(pair, replace(options, wanted=None), prefix=len(chosen) > 1).corpus for pair in chosen]
    whole = concatenate(parts, name=str(folder))
    return whole if options.wanted is None else whole.only(options.wanted)


def read_pair(pair: PairFiles, options: Options, *, prefix: bool = False) -> Rows:
    """Both sides of a pair; `prefix` puts the pair's name into the row ids, which are its line numbers from 0."""
    files = dict(zip(pair.languages, pair.paths, strict=True))
    columns = text_columns(files, replace(options, aligned=True))
    count = max((len(column.cells) for column in columns), default=0)
    ids = [f"{pair.name}:{index}" for index in range(count)] if prefix else None
    return aligned(str(pair.paths[0]), columns, ids, options)


def pair_files(folder: Path, without: Collection[Path] = ()) -> list[PairFiles]:
    """The pairs ``A-B.A`` and ``A-B.B`` of a folder, before which the name of a data set may stand.

    Args:
        folder: where they lie.
        without: files of another layout.

    Raises:
        CorpusError: a file without its other half.
    """
    halves: dict[tuple[str, str], Path] = {}
    for path in _files(folder):
        if path in without:
            continue
        name, _, side = plain_name(path).rpartition(".")
        if _other_side(name, side) is not None:
            halves[name, side] = path
    pairs = []
    for (name, side), path in halves.items():
        other = str(_other_side(name, side))
        if (name, other) not in halves:
            raise CorpusError(f"{path} is there, but its other half {name}.{other} is not; give both files")
        if name.rpartition(".")[2] == f"{side}-{other}":
            pairs.append(PairFiles(name, (side, other), (path, halves[name, other])))
    return pairs


def _other_side(name: str, side: str) -> str | None:
    """The other language of ``[corpus.]A-B``, one of whose languages is this side."""
    pair = name.rpartition(".")[2]
    if not names_language(side):
        return None
    for other in (pair.removeprefix(f"{side}-"), pair.removesuffix(f"-{side}")):
        if other != pair and names_language(other):
            return other
    return None


def _treebanks(folder: Path, options: Options) -> Corpus | None:
    """Universal Dependencies, PUD above all: ``UD_English-PUD/en_pud-ud-test.conllu``."""
    files = [path for path in _files(folder, deep=True) if suffix(path) == ".conllu" and language_of(path)]
    return _tables(folder, {path: str(language_of(path)) for path in files}, options) if files else None


def _texts(folder: Path, options: Options) -> Corpus | None:
    """One text file per language, one sentence a line: ``en.txt``."""
    found = {
        path: Path(plain_name(path)).stem
        for path in _files(folder)
        if suffix(path) == ".txt" and names_language(Path(plain_name(path)).stem)
    }
    return _one_text_each(folder, found, options) if found else None


def _one_table_each(folder: Path, options: Options) -> Corpus | None:
    """One table per language: Belebele's ``eng_Latn.jsonl``, FLORES+, ``xquad.es.json``."""
    files = {path: language for path in _files(folder) if is_table(path) and (language := language_of(path))}
    return _tables(folder, files, options) if files else None


def _tables(folder: Path, files: Mapping[Path, str], options: Options) -> Corpus:
    _warn_of_others(folder, files, options)

    def rows() -> Iterator[Record]:
        for path in files:
            records = read_file(path, options)
            for index, record in enumerate(records):
                if options.limit is not None and index >= options.limit:
                    break
                row = {"row": str(index)} if options.aligned and "row" not in record else {}
                yield {**record, **row}

    return read_table(Table(str(folder), rows()), replace(options, limit=None))


def _one_text_each(folder: Path, found: Mapping[Path, str], options: Options) -> Corpus:
    require_no_split(options, str(folder))
    _warn_of_others(folder, found, options)
    require_distinct(found.values(), str(folder))
    files: dict[str, Path] = {}
    for path, language in found.items():
        if files.setdefault(language, path) != path:
            raise CorpusError(f"{folder}: {files[language].name} and {path.name} are both {language!r}; remove one")
    return read_texts(str(folder), _wanted(files, options, folder), options)


def _wanted(files: Mapping[str, Path], options: Options, folder: Path) -> dict[str, Path]:
    """The files of the languages asked for; the others are not read at all."""
    codes = require_distinct(files, str(folder))
    require_found(options.wanted, codes.values(), str(folder))
    return {label: path for label, path in files.items() if options.wants(codes[label])}


def _files(folder: Path, *, deep: bool = False) -> list[Path]:
    return sorted(path for path in (folder.rglob("*") if deep else folder.iterdir()) if path.is_file())


def _warn_of_others(folder: Path, read: Iterable[Path], options: Options) -> None:
    """Name the files that are passed over, unless the caller has named the languages to read."""
    others = [path.name for path in _files(folder) if path not in set(read) and not _ABOUT.match(path.name)]
    if others and options.wanted is None:
        listed = ", ".join(others[:8]) + (", ..." if len(others) > 8 else "")
        warn(f"{folder}: not read, as they are not named like a language: {listed}")


def _full_names(folder: Path) -> str:
    codes = {path.name: code_of_name(Path(plain_name(path)).stem) for path in _files(folder)}
    hints = [f"{name} to {code}{Path(name).suffix}" for name, code in codes.items() if code]
    return f"; rename {', '.join(hints)}" if hints else ""


LAYOUTS: list[Layout] = [_saved_dataset, _flores, _ntrex, _pairs, _treebanks, _texts, _one_table_each]
"""Tried in this order; the first that does not return None has read the folder."""
