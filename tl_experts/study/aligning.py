"""`tune_alignment`: search for the setting under which translations are found best, beside no intervention."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from tl_experts.analysis.statistics import Estimate, mean_interval, paired_gain
from tl_experts.corpus.sentences import Corpus, require_corpus
from tl_experts.embeddings.embeddings import Layer
from tl_experts.errors import InterventionError, TLExpertsError, require_choice, require_whole
from tl_experts.jobs.paths import user_path
from tl_experts.jobs.tables import write_table
from tl_experts.models import Model, require_model
from tl_experts.steering.tuning.building import Builder, Built, Statistics, builder
from tl_experts.steering.tuning.search import Budget, Search, search_bar, stage_bounds
from tl_experts.steering.tuning.space import SearchSpace, Setting
from tl_experts.study.spaces import Space, every_layer, hits_of, setting_spaces

if TYPE_CHECKING:
    import pandas as pd

ALIGNMENT_SPACE = SearchSpace(counts=(5, 20, 50, 100, 200, 500), positions=("all",))
"""What `tune_alignment` searches: tokens that are generated do not matter to the embedding of a given text."""

ALIGNMENT_BUDGET = Budget(trials=24, finalists=0)


@dataclass(frozen=True)
class View:
    """How sentence vectors are read.

    Examples:
        >>> print(View(3, True))
        layer 3, centred
    """

    layer: Layer
    """A block; None: the last hidden state."""

    centred: bool
    """Whether each language's mean is subtracted."""

    def __str__(self) -> str:
        """The view in words."""
        return ("last layer" if self.layer is None else f"layer {self.layer}") + (", centred" if self.centred else "")


@dataclass(frozen=True)
class AlignmentTrial:
    """A setting and how often sentences found their translations on the dev split."""

    setting: Setting | None
    """None: no intervention."""

    stage: int
    """The last stage that it reached, from 0."""

    rows: int
    """How many rows were compared. Fewer rows are easier: only trials of the same number can be compared."""

    raw: float
    """Top-1 over all ordered pairs of languages, 0 to 1, in the best layer."""

    raw_layer: Layer
    centred: float
    """The same with each language's mean subtracted."""

    centred_layer: Layer
    seconds: float
    stopped: bool = False
    """Never: a setting may do badly on few rows and well on more."""

    @property
    def view(self) -> View:
        """The better of the two; of equals, without centring."""
        return View(self.centred_layer, True) if self.centred > self.raw else View(self.raw_layer, False)

    @property
    def top1(self) -> float:
        """That of `view`."""
        return max(self.raw, self.centred)

    @property
    def rank(self) -> tuple[float, ...]:
        """The larger, the better: stages reached, then top-1, then fewer neurons."""
        return self.stage, self.top1, -((self.setting.count if self.setting else 0) or 0)

    def to_dict(self) -> dict[str, Any]:
        """A row of the table."""
        own = {"setting": "no intervention" if self.setting is None else str(self.setting)}
        names = ("stage", "rows", "top1", "raw", "raw_layer", "centred", "centred_layer", "seconds")
        row = own | {name: getattr(self, name) for name in names}
        return {name: "last" if value is None else value for name, value in row.items()}


@dataclass(frozen=True, eq=False)
class AlignmentResult:
    """What `tune_alignment` found. Top-1 and gains are of the test corpus, over all ordered pairs of languages."""

    target: str
    """Language code."""

    trials: tuple[AlignmentTrial, ...]
    """In the order in which their settings were first tried."""

    unsteered: AlignmentTrial
    """No intervention, on the same rows of the dev split as the best trial."""

    steering: Built
    """The best setting, as `steer` takes it."""

    view: View
    """How vectors are read under it."""

    hits: Mapping[str, Float64[np.ndarray, " row"]]
    """The share of pairs in which each test row is found: ``"steered"``; ``"same view"``: no intervention, centred or
    not as `view` says, in its own best layer; ``"baseline"``: no intervention in the view that is best on the dev
    split."""

    seed: int = 0
    """Of the bootstrap."""

    @property
    def best(self) -> AlignmentTrial:
        """The trial of highest top-1 of those on most rows."""
        return max(self.trials, key=lambda trial: trial.rank)

    @property
    def top1(self) -> Estimate:
        """Of the best setting."""
        return mean_interval(self.hits["steered"], seed=self.seed)

    @property
    def gain(self) -> Estimate:
        """Over no intervention in the same view (in its own best layer)."""
        return paired_gain(self.hits["same view"], self.hits["steered"], seed=self.seed)

    @property
    def gain_over_baseline(self) -> Estimate:
        """Over the best view of no intervention."""
        return paired_gain(self.hits["baseline"], self.hits["steered"], seed=self.seed)

    @property
    def beats_baseline(self) -> bool:
        """Whether the interval of the gain over the best view of no intervention is above 0."""
        return self.gain_over_baseline.low > 0

    def to_pandas(self) -> "pd.DataFrame":
        """One row per trial, no intervention first."""
        import pandas as pd

        return pd.DataFrame([trial.to_dict() for trial in (self.unsteered, *self.trials)])

    def to_dict(self) -> dict[str, Any]:
        """The numbers of the test corpus."""
        same, baseline = (mean_interval(self.hits[name], seed=self.seed) for name in ("same view", "baseline"))
        row: dict[str, Any] = {"target": self.target, "setting": str(self.best.setting), "view": str(self.view)}
        row |= {"rows": len(self.hits["steered"]), "top1": self.top1.value, "same_view": same.value}
        row |= {"baseline": baseline.value, "baseline_view": str(self.unsteered.view)}
        for name, gain in (("gain", self.gain), ("gain_over_baseline", self.gain_over_baseline)):
            row |= {name: gain.value, f"{name}_low": gain.low, f"{name}_high": gain.high, f"{name}_p": gain.p}
        return row | {"beats_baseline": self.beats_baseline}

    def __str__(self) -> str:
        """The result in a line, which says so where nothing beats the baseline."""
        found = self.to_dict()
        verdict = "" if self.beats_baseline else "; no setting is shown to beat no intervention"
        return (
            f"{len(self.trials)} settings for {self.target}; best: {self.best.setting}; top-1 {found['top1']:.3f} "
            f"({self.view}); without intervention {found['same_view']:.3f} in the same view, {found['baseline']:.3f} "
            f"at best ({self.unsteered.view}); gain over that {self.gain_over_baseline}{verdict}"
        )

    def save(self, folder: str | Path) -> Path:
        """Save the steering in ``steering``, as `steer` on the command line takes it, and the table ``trials.csv``.

        Raises:
            ArtefactError: the path cannot be written.
        """
        target = user_path(folder)
        self.steering.save_pretrained(target / "steering")
        table = self.to_pandas()
        return write_table(target / "trials.csv", list(table.columns), table.itertuples(index=False)).parent


def tune_alignment(
    model: Model,
    statistics: Statistics,
    target: str,
    dev: Corpus,
    test: Corpus,
    *,
    space: SearchSpace = ALIGNMENT_SPACE,
    budget: Budget = ALIGNMENT_BUDGET,
    layers: Sequence[Layer] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> AlignmentResult:
    """Find the setting under which sentences most often find their translations, and compare it with no intervention.

    Every setting is read raw and centred in every layer, on a quarter of the dev rows first and the best on more, and
    chosen by its top-1 over all ordered pairs of languages. The test corpus chooses nothing. Centred vectors without
    any intervention often do best; the result says so.

    Args:
        model: either class.
        statistics: as `tune` takes them.
        target: the language whose neurons or vector are held.
        dev: an aligned corpus to choose on; may be what the statistics are of.
        test: another aligned corpus to report on; its languages are compared in both.
        space: the options that are combined. Settings of generated tokens only are passed over.
        budget: a number of trials or seconds; there is no final.
        layers: as in `embed_layers`; None: all, and the last hidden state.
        seed: of the draws of settings and of the bootstrap.
        progress: show a bar.

    Raises:
        TLExpertsError: statistics that lack something, or an option out of its range.
        InterventionError: no setting of the space can be built and changes embeddings.
        CorpusError: a corpus that is not aligned, shares a sentence with the other, or lacks a language of the test.

    Examples:
        >>> from tl_experts import collect_both, load_model, load_sentences
        >>> model = load_model("polyglot-mini")
        >>> dev, test = (load_sentences("bundled", split=split, limit=4) for split in ("dev", "test"))
        >>> both = collect_both(model, dev, progress=False)
        >>> few = Budget(trials=2)
        >>> found = tune_alignment(model, both, "es", dev, test, budget=few, layers=[None], progress=False)
        >>> 0 <= found.top1.value <= 1
        True
    """
    require_model(model)
    require_choice(type(space), (SearchSpace,), "type of space")
    require_choice(type(budget), (Budget,), "type of budget")
    if require_whole(seed, "seed") < 0:
        raise TLExpertsError(f"seed is {seed}; expected 0 or more")
    building = builder(statistics, target)
    if building.residual is not None:
        space = space.for_layers(building.residual.neurons.layers)
    reader = _Reader(model, building, *_corpora(dev, test), every_layer(model) if layers is None else list(layers))
    budget = replace(budget, finalists=0)
    with search_bar(f"aligning by {building.target}", budget, _told, progress=progress) as advance:
        search = Search(
            space,
            lambda setting: setting.positions != "generated" and building.possible(setting),
            reader.measure,
            len(reader.ends),
            budget,
            seed,
            advance=advance,
            trial=lambda _setting, _stage, parts, seconds: replace(parts[-1], seconds=seconds),
        )
        trials: tuple[AlignmentTrial, ...] = search.run()
    best = max(trials, key=lambda trial: trial.rank, default=None)
    if best is None or best.setting is None:
        raise InterventionError(
            f"no setting of the space can be built for {building.target} from these statistics and changes embeddings; "
            "give another space, or more statistics"
        )
    unsteered = reader.trial(None, best.stage)
    return AlignmentResult(
        building.target,
        trials,
        unsteered,
        building.build(best.setting),
        best.view,
        reader.report(best, unsteered),
        seed,
    )


def _corpora(dev: Corpus, test: Corpus) -> tuple[Corpus, Corpus]:
    """The rows of both that have a sentence in every language of the test corpus."""
    for corpus in (dev, test):
        require_corpus(corpus)
    dev.require_disjoint(test)
    languages = test.languages
    if len(languages) < 2:
        raise TLExpertsError(f"the test corpus has only {', '.join(languages)}; give two or more languages")
    dev = dev.only(languages)
    whole = [corpus.take(sorted(at for own in corpus.parallel().values() for at in own)) for corpus in (dev, test)]
    return whole[0], whole[1]


@dataclass(frozen=True)
class _Reader:
    """Reads the corpora under settings."""

    model: Model
    building: Builder
    dev: Corpus
    test: Corpus
    layers: list[Layer]

    @property
    def ends(self) -> list[int]:
        """The rows of the dev split that each stage reads."""
        return [end for _, end in stage_bounds(len(next(iter(self.dev.parallel().values()))))]

    def measure(self, settings: Sequence[Setting | None], stage: int) -> list[tuple[AlignmentTrial, float]]:
        """The trial of each setting at a stage, and the seconds that it took."""
        begun = time.perf_counter()
        rows = self.ends[stage]
        found = {
            setting: _trial(setting, stage, rows, spaces)
            for setting, spaces in setting_spaces(self.model, self.building, settings, self.dev.head(rows), self.layers)
        }
        seconds = (time.perf_counter() - begun) / len(settings)
        return [(found[setting], seconds) for setting in settings]

    def trial(self, setting: Setting | None, stage: int) -> AlignmentTrial:
        """The trial of one setting."""
        return self.measure([setting], stage)[0][0]

    def report(self, best: AlignmentTrial, unsteered: AlignmentTrial) -> dict[str, Any]:
        """The hits of the test corpus."""
        same = View(unsteered.centred_layer if best.view.centred else unsteered.raw_layer, best.view.centred)
        views = {"steered": best.view, "same view": same, "baseline": unsteered.view}
        layers = list(dict.fromkeys(view.layer for view in views.values()))
        read = dict(setting_spaces(self.model, self.building, [best.setting, None], self.test, layers))
        return {
            name: hits_of(read[best.setting if name == "steered" else None][view.layer], centred=view.centred).numpy()
            for name, view in views.items()
        }


def _trial(setting: Setting | None, stage: int, rows: int, spaces: Mapping[Layer, Space]) -> AlignmentTrial:
    (raw, raw_layer), (centred, centred_layer) = (_best_layer(spaces, centred=centred) for centred in (False, True))
    return AlignmentTrial(setting, stage, rows, raw, raw_layer, centred, centred_layer, seconds=0.0)


def _best_layer(spaces: Mapping[Layer, Space], *, centred: bool) -> tuple[float, Layer]:
    """The highest top-1 and its layer; of equals, the first."""
    top1 = {layer: float(hits_of(space, centred=centred).mean()) for layer, space in spaces.items()}
    best = max(top1, key=lambda layer: top1[layer])
    return top1[best], best


def _told(search: Search) -> str | None:
    """The best trial so far."""
    best = max(search.trials.values(), key=lambda trial: trial.rank, default=None)
    return None if best is None else f"top-1 {best.top1:.3f} of {best.rows} rows: {best.setting}"
