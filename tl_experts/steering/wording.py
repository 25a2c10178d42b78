"""How neurons are chosen and held, in the words of figures, tables and sentences."""

SCORINGS = {
    "all": "all neurons",
    "vector": "language vector",
    "auroc": "AUROC",
    "ap": "average precision",
    "mean_difference": "Cohen's d of sentences",
    "token_mean_difference": "Cohen's d of tokens",
    "lape": "LAPE",
    "aligned_lape": "LAPE (Zhu et al.)",
    "dln": "overlap of histograms (DLN)",
    "probe": "sparse probe",
}
"""What neurons are chosen by; ``all`` and ``vector`` choose none."""

VALUES = {"mean": "the mean", "token_mean": "the token mean", "diffmean": "the difference of means"}

OPERATIONS = {"set": "set to {}", "raise": "raised to {}", "toward": "moved toward {}", "add": "{} added"}


def scoring_in_words(scoring: str) -> str:
    """A scoring in words; one that is not known stays.

    Examples:
        >>> scoring_in_words("lape")
        'LAPE'
    """
    return SCORINGS.get(scoring, scoring)


def held(operation: str, value: str) -> str:
    """What is done to neurons.

    Examples:
        >>> held("set", "mean")
        'set to the mean'
        >>> held("add", "diffmean")
        'difference of means added'
    """
    text = OPERATIONS.get(operation, f"{operation} {{}}").format(VALUES.get(value, value))
    return text.removeprefix("the ")


def in_words(method: str) -> str:
    """A method of a comparison in words; what is not "scoring, operation value" stays.

    Examples:
        >>> in_words("auroc, set mean")
        'AUROC, set to the mean'
        >>> in_words("language vector")
        'language vector'
    """
    scoring, comma, hold = method.partition(", ")
    operation, space, value = hold.partition(" ")
    if not comma or not space or " " in value or scoring not in SCORINGS:
        return method
    return f"{SCORINGS[scoring]}, {held(operation, value)}"
