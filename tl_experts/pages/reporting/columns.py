"""What the columns of a study's tables mean: headings in words, units, explanations, and how values are written."""

import math
from dataclasses import dataclass

SMALLEST_P = 0.001
"""Smaller p are written as "< 0.001"."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    heading: str

    meaning: str
    """A sentence, shown on hover and in the list below the table."""

    kind: str = "text"
    """How values are written: a key of `UNITS`, or "text", "count", "layer", "p", "flag"."""

    @property
    def unit(self) -> str:
        """The unit of the values, or nothing."""
        return UNITS.get(self.kind, "")

    @property
    def numeric(self) -> bool:
        """Whether the column is aligned and sorted as numbers."""
        return self.kind not in ("text", "flag")


UNITS = {"share": "%", "points": "points", "number": "", "signed": "", "degrees": "degrees", "nats": "nats per token"}
"""The unit of each kind of number."""

WORDS = {
    "condition": {"pre": "before", "post": "after", "mixed": "mixed"},
    "measure": {
        "all_pairs": "all pairs of languages",
        "target_to_medoid": "target to medoid",
        "nontarget_to_medoid": "others to medoid",
        "nontarget_to_target": "others to target",
    },
    "of": {
        "acc_post~d_post": "accuracy after, distance after",
        "acc_pre~d_pre": "accuracy before, distance before",
        "d_post~d_pre": "distance after, distance before",
        "gain~d_pre-d_post": "gain, reduction of distance",
        "gain~isoscore_gain": "gain, gain in IsoScore",
        "gain~subspace_reduction": "gain, reduction of the language subspace's share",
        "gain~margin_gain": "gain, gain in margin",
    },
}
"""Values of a column that are written in words."""

_BEFORE = "without intervention"
_AFTER = "with the target's experts set"
_P = "Probability of at least this difference if there were none, from the paired bootstrap."
_HOLM = "The same, corrected for the number of tests in this table (Holm)."

COLUMNS = {
    "target": Column("Target", "The language whose experts are set."),
    "language": Column("Language", "The language that is measured."),
    "condition": Column(
        "When", f"Before: {_BEFORE}. After: {_AFTER}. Mixed: queries before the intervention, candidates after it."
    ),
    "method": Column("Method", "How sentence vectors are obtained from the model."),
    "kind": Column("Pairs", "The pairs of languages that are averaged, by the target's role in them."),
    "control": Column("Neurons", "The neurons that are set: the experts, or others as a control."),
    "neurons": Column("Neurons", "The neurons that are set: the experts, or random ones as a control."),
    "top1": Column("Top-1", "Share of sentences whose nearest neighbour is their translation.", "share"),
    "top1_hard": Column("Top-1, hard", "The same with hard negatives among the candidates.", "share"),
    "top1_centred": Column("Top-1, centred", "Top-1 after subtracting each language's mean.", "share"),
    "dev_top1": Column("Top-1, dev", "Top-1 on the dev split, which the choice is made on.", "share"),
    "pre": Column("Before", f"Top-1 {_BEFORE}.", "share"),
    "post": Column("After", f"Top-1 {_AFTER}.", "share"),
    "gain": Column("Gain", "Top-1 after minus top-1 before.", "points"),
    "experts_lead": Column("Experts' lead", "Top-1 of the experts minus top-1 of these neurons.", "points"),
    "low": Column("95% from", "Lower end of the 95% bootstrap interval over sentences.", "points"),
    "high": Column("95% to", "Upper end of the 95% bootstrap interval over sentences.", "points"),
    "p": Column("p", _P, "p"),
    "p_holm": Column("p, corrected", _HOLM, "p"),
    "candidates": Column("Candidates", "Number of candidate languages.", "count"),
    "median": Column("Median gain", "Median over candidate languages, the target as query.", "points"),
    "least": Column("Smallest gain", "Smallest gain over candidate languages.", "points"),
    "most": Column("Largest gain", "Largest gain over candidate languages.", "points"),
    "layer": Column("Layer", "The layer whose output is embedded; last: after the final normalisation.", "layer"),
    "chosen": Column("Chosen", "The best layer on the dev split.", "flag"),
    "measure": Column("Distance", "The pairs of languages that are averaged."),
    "seeds": Column("Draws", "How many times these neurons were drawn.", "count"),
    "spread": Column("Spread", "Standard deviation of top-1 over draws.", "points"),
    "k": Column("Experts", "Number of experts (k).", "count"),
    "rows": Column("Sentences", "Number of sentence pairs.", "count"),
    "language_id": Column(
        "Target's probability", "Mean probability, by langid.py, that sampled text is in the target language.", "share"
    ),
    "perplexity": Column("Perplexity", "Perplexity of held-out text in the target language.", "number"),
    "fluency": Column("Text's perplexity", "Median perplexity of sampled texts without intervention.", "number"),
    "distinct": Column("Distinct bigrams", "Share of different bigrams in sampled texts.", "share"),
    "compression": Column(
        "Compression", "Compression ratio of sampled texts; repetitive text has a low one.", "number"
    ),
    "repeats": Column("Repeats", "Whether sampled texts repeat themselves far more than the model's own.", "flag"),
    "pareto": Column("Pareto front", "No other k has both a higher probability and a lower perplexity.", "flag"),
    "corpus": Column("Corpus", "Where the pairs come from."),
    "query": Column("Query", "Language of the query sentences."),
    "candidate": Column("Candidate", "Language of the candidate sentences."),
    "of": Column("Correlation of", "The two measures that are correlated over candidate languages."),
    "r": Column("r", "Pearson's correlation over candidate languages.", "signed"),
    "auroc_found": Column("AUROC, same half", "Mean AUROC on the half that the experts were found on.", "number"),
    "auroc_held_out": Column("AUROC, other half", "Mean AUROC of the same experts on the other half.", "number"),
    "jaccard_halves": Column("Shared by both", "Jaccard index of the two halves' experts.", "share"),
    "length_auroc": Column("AUROC of length", "How well the number of tokens alone identifies the language.", "number"),
    "auroc_length_matched": Column(
        "AUROC, equal length", "Mean AUROC of the experts among sentences of similar length.", "number"
    ),
    "tracks_length": Column(
        "Track length", "Share of experts that lose more than half of their lead over chance there.", "share"
    ),
    "best_auroc": Column("Best AUROC", "AUROC of the best neuron.", "number"),
    "mean_auroc_100": Column("AUROC, first 100", "Mean AUROC of the first 100 experts.", "number"),
    "mean_auroc": Column("Mean AUROC", "Mean AUROC of all experts.", "number"),
    "layer_q1": Column("Layer, quarter", "A quarter of the experts are at or below this layer.", "layer"),
    "layer_median": Column("Layer, median", "Half of the experts are at or below this layer.", "layer"),
    "layer_q3": Column("Layer, three quarters", "Three quarters of the experts are at or below this layer.", "layer"),
    "why": Column("Reason", "Why this number of experts."),
    "mean_cosine": Column("Mean cosine", "Mean cosine of random pairs of sentences; isotropic: 0.", "number"),
    "partition_ratio": Column("Partition ratio", "Ratio of the partition function; isotropic: 1.", "number"),
    "isoscore": Column("IsoScore", "Isotropy of the space; isotropic: 1.", "number"),
    "subspace_share": Column("Language subspace", "Share of the variance inside the language subspace.", "share"),
    "angle_mean": Column("Mean angle", "Mean principal angle to the language subspace before.", "degrees"),
    "angle_largest": Column("Largest angle", "Largest principal angle to the language subspace before.", "degrees"),
    "variance_language": Column("Language", "Share of the variance between languages.", "share"),
    "variance_meaning": Column("Meaning", "Share of the variance between rows (meanings).", "share"),
    "variance_rest": Column("Rest", "The remaining share of the variance.", "share"),
    "scoring": Column("Scoring", "How the neurons were chosen."),
    "view": Column("Vectors", "Which layer sentence vectors are from, and whether each language's mean is subtracted."),
    "share": Column("In the language", "Share of texts in the target language.", "share"),
    "score": Column("Score", "Harmonic mean of that share and the texts' quality beside natural ones.", "number"),
    "quality": Column(
        "Quality", "How naturally the texts read beside natural ones, in any language; 0 to 1.", "number"
    ),
    "natural_perplexity": Column("Natural perplexity", "Median perplexity of the model's own texts.", "number"),
    "reads_well": Column("Reads well", "As fluent and varied as the natural texts, within the usual bounds.", "flag"),
    "example": Column("First text", "What the method wrote for the first prompt.", "text"),
    "setting": Column("Setting", "Number of neurons, operation, strength, positions, layers."),
    "dev_score": Column("Score, search", "Score on the prompts that the setting was chosen on.", "number"),
    "tuned": Column("Chosen", "The best setting of its search.", "flag"),
    "texts": Column("Texts", "Number of texts that the measures are over.", "count"),
    "kl": Column("KL", "KL(unsteered || steered) of the next token in other languages, nats per token.", "number"),
    "budget": Column("KL, most", "The KL divergence at which methods are compared, nats per token.", "number"),
    "change": Column("Change", "Change of the cross-entropy of text in this language.", "nats"),
    "gain_low": Column("Gain from", "Lower end of the gain's 95% interval.", "points"),
    "gain_high": Column("Gain to", "Upper end of the gain's 95% interval.", "points"),
    "languages": Column("Pairs of", "The languages between which translations are looked for."),
    "rank": Column("Rank", "Directions of the language subspace that are removed, chosen on the dev split.", "count"),
    "from_target": Column("From the target", "Top-1 with the target as query.", "share"),
    "to_target": Column("To the target", "Top-1 with the target as candidate.", "share"),
    "detectable": Column(
        "Detectable", "Smallest gain that this number of rows would show with a probability of 80%.", "points"
    ),
    "cyrillic": Column("Cyrillic", "Top-1 of the text as it is written.", "share"),
    "romanised": Column("Latin letters", "Top-1 of the same text in Latin letters.", "share"),
    "from_romanised": Column("From Latin letters", "Top-1 with the text in Latin letters as query.", "share"),
    "to_romanised": Column("To Latin letters", "Top-1 with the text in Latin letters as candidate.", "share"),
    "itself": Column("Itself", "Top-1 between the two scripts of the same text.", "share"),
    "auroc_cyrillic": Column("AUROC, Cyrillic", "Mean AUROC of the neurons, text as it is written.", "number"),
    "auroc_romanised": Column("AUROC, Latin letters", "Mean AUROC of the neurons, text in Latin letters.", "number"),
    "separate_cyrillic": Column("Separate, Cyrillic", "Share of the neurons with an AUROC of at least 0.9.", "share"),
    "separate_romanised": Column(
        "Separate, Latin letters", "The same for text in Latin letters against the other languages.", "share"
    ),
    "mexa": Column("MEXA", "Share of sentences nearer to their English translation than any other is.", "share"),
    "translation_distance": Column("Translations", "Mean cosine distance between translations.", "number"),
    "language_distance": Column(
        "Any two sentences", "Mean cosine distance between any two sentences in different languages.", "number"
    ),
    "diagonality": Column("Diagonality", "How much silencing hurts its own language only; at most 1.", "signed"),
    "contrast": Column("Contrast", "Change in the own language minus that in the others.", "nats"),
    "own_largest": Column("Own largest", "Share of languages that silencing their own neurons hurts most.", "share"),
} | {name: Column(words.capitalize(), "Mean cosine distance.", "number") for name, words in WORDS["measure"].items()}
"""The columns by name."""

_ENDS = {"low": "Lower end of the 95% bootstrap interval", "high": "Upper end of the 95% bootstrap interval"}

SPECIAL = (
    {
        (table, end): Column(COLUMNS[end].heading, f"{text} over sentences.", "share")
        for table in ("baselines", "alignment")
        for end, text in _ENDS.items()
    }
    | {
        ("correlations", end): Column(COLUMNS[end].heading, f"{text} over candidate languages.", "signed")
        for end, text in _ENDS.items()
    }
    | {
        (table, name): column
        for table in ("writing", "equal", "divergence")
        for name, column in {
            "target": Column("Target", "The language that is written."),
            "method": Column("Method", "How neurons are chosen, and how they are held."),
        }.items()
    }
    | {
        (table, end): Column(COLUMNS[end].heading, f"{text} over sentences.", "nats")
        for table in ("costs", "divergence")
        for end, text in _ENDS.items()
    }
    | {
        ("romanised", f"{name}_{end}"): Column(COLUMNS[end].heading, f"{text} over sentences.", "share")
        for name in ("cyrillic", "romanised")
        for end, text in _ENDS.items()
    }
    | {("silencing_summary", end): Column(COLUMNS[end].heading, f"{text}.", "signed") for end, text in _ENDS.items()}
    | {
        ("silencing_summary", f"contrast_{end}"): Column(COLUMNS[end].heading, f"{text} of the contrast.", "nats")
        for end, text in _ENDS.items()
    }
    | {
        ("writing", "perplexity"): Column("Perplexity", "Median perplexity of the texts, without steering.", "number"),
        ("spaces", "target"): Column("Target", "The language whose neurons steer."),
        ("alignment", "target"): Column("Target", "The language whose neurons steer."),
        ("alignment", "gain"): Column("Gain", "Top-1 minus that of the best baseline.", "points"),
        ("romanised", "target"): Column("Target", "The language whose neurons steer, and whose text is rewritten."),
        ("romanised", "gain"): Column("Difference", "Top-1 in Latin letters minus that in Cyrillic ones.", "points"),
        ("romanised_experts", "target"): Column("Target", "The language whose text is rewritten."),
        ("romanised_experts", "neurons"): Column("Neurons", "Number of neurons.", "count"),
        ("table1", "pre"): Column("Before", f"Mean cosine distance {_BEFORE}.", "number"),
        ("table1", "pre_se"): Column("Before, ±", "Standard error over targets.", "number"),
        ("table1", "post"): Column("After", f"Mean cosine distance {_AFTER}.", "number"),
        ("table1", "post_se"): Column("After, ±", "Standard error over targets.", "number"),
        ("silencing_summary", "neurons"): Column("Neurons", "Mean number of neurons of a language.", "number"),
        ("geometry", "target"): Column("Target", "The language whose experts are set; none before the intervention."),
    }
)
"""Columns that mean something else in one table."""

TITLES = {
    "writing": "Writing: language, fluency, repetition",
    "equal": "Writing at equal cost",
    "divergence": "Settings and their cost",
    "alignment": "Retrieval over all pairs of languages",
    "costs": "What it costs in every language",
    "spaces": "MEXA, distances and isotropy of the same vectors",
    "romanised": "Language or script: retrieval of text in Latin letters",
    "romanised_experts": "Language or script: experts on text in Latin letters",
    "baselines": "Methods with and without intervention",
    "gains": "Gains of the intervention",
    "gain_spread": "Gains over candidate languages",
    "layers": "Layers without intervention",
    "table1": "Distances between languages",
    "geometry": "Shape of the embedding space",
    "control_summary": "Other neurons instead of the experts",
    "silencing_summary": "Silencing the experts",
    "sweep": "Number of experts: language, perplexity, retrieval",
    "paraphrases": "Paraphrases within a language",
    "pair_sets": "Translation pairs of other corpora",
    "correlations": "Correlations of gain, accuracy and distance",
    "stability": "Stability of the experts",
    "experts": "Experts of each language",
    "choice": "Chosen number of experts",
    "distances": "Distances for each target",
    "paraphrase_gains": "Gains in paraphrase retrieval",
}
"""Titles of the tables."""


def title_of(table: str) -> str:
    """The title of a table in words."""
    return TITLES.get(table, _in_words(table))


def column_of(table: str, name: str) -> Column:
    """A column of a table; one that is not described here keeps its name, with spaces."""
    if name.startswith("paper "):
        own = column_of(table, {"paper median": "median", "paper most": "most"}.get(name, "post"))
        kind = {"correlations": "signed", "paraphrases": "share"}.get(table, own.kind)
        return Column(f"Paper's {name.removeprefix('paper ')}", "The value that the paper prints.", kind)
    if name == "paper":
        return Column("Paper", "The value that the paper prints.", "signed" if table == "correlations" else "share")
    known = SPECIAL.get((table, name)) or COLUMNS.get(name)
    if known is None and name.startswith("control_"):
        own = column_of(table, name.removeprefix("control_"))
        return Column(f"{own.heading}, random", f"{own.meaning} For random neurons of the same layers.", own.kind)
    return known or Column(_in_words(name), f"Column {name!r} of the file.", "number")


def written(value: object, column: Column, name: str) -> str:
    """A value as it is shown; missing ones are empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return WORDS.get(name, {}).get(value, value)
    if column.kind == "flag" or isinstance(value, bool):
        return "yes" if value else "no"
    return _number(float(value), column.kind) if _is_number(value) else str(value)  # type: ignore[arg-type]


def _is_number(value: object) -> bool:
    return hasattr(value, "__float__")


def _number(value: float, kind: str) -> str:
    if kind in ("share", "points"):
        return f"{100 * value:+.1f}" if kind == "points" else f"{100 * value:.1f}"
    if kind == "p":
        return f"< {SMALLEST_P}" if value < SMALLEST_P else f"{value:.3f}"
    if value.is_integer() and kind in ("count", "layer", "text"):
        return f"{value:.0f}"
    if kind in ("layer", "count", "degrees"):
        return f"{value:.1f}"
    if kind in ("signed", "nats"):
        return f"{value:+.3f}"
    return f"{value:.1f}" if abs(value) >= LARGE else f"{value:.3f}"


LARGE = 10
"""Numbers from here on are written with one decimal."""


def _in_words(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
