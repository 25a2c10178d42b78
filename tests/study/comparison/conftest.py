"""A bench for Russian whose retrieval was chosen by hand: no search is run."""

from dataclasses import replace

import pandas as pd
import pytest

from tl_experts.study.comparison.bench import CompareBench, read_corpora
from tl_experts.study.comparison.ceiling import CEILING
from tl_experts.study.comparison.methods import UNSTEERED
from tl_experts.study.comparison.views import ALL, BEST_CENTRED, LAST_RAW, LAST_REMOVED

SETTING = "100 by auroc, set 1 x mean, all positions"
CHOICES = [
    (UNSTEERED, LAST_RAW, "", "last", None, 0.1),
    (UNSTEERED, LAST_REMOVED, "", "last", 2, 0.2),
    (UNSTEERED, BEST_CENTRED, "", "4", None, 0.3),
    ("auroc, set mean", LAST_RAW, "20 by auroc, set 1 x mean, all positions", "last", None, 0.1),
    ("auroc, set mean", BEST_CENTRED, SETTING, "3", None, 0.4),
    ("language vector", BEST_CENTRED, "language vector, add 1 x diffmean, all positions", "3", None, 0.35),
    (CEILING, "its own vectors", "", "", None, float("nan")),
]
"""Method, view, setting, layer, rank and top-1 on the dev split."""


@pytest.fixture(scope="module")
def russian(compare_config, mini, tmp_path_factory):
    """A bench with its table of retrieval for Russian."""
    folder = tmp_path_factory.mktemp("russian")
    (folder / "tables").mkdir()
    columns = ["method", "view", "setting", "layer", "rank", "dev_top1"]
    table = pd.DataFrame(CHOICES, columns=columns).assign(target="ru", languages=ALL)
    few = table.assign(languages="Latin script", dev_top1=1.0)
    pd.concat([table, few]).to_parquet(folder / "tables" / "alignment-ru.parquet")
    config = replace(compare_config, targets=("ru",), languages=("en", "es", "ru"), retrieval_counts=(20, 100))
    dev, test = read_corpora(config)
    return CompareBench(config, mini, dev, test, folder, progress=False)
