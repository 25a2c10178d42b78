"""The silencing matrices of a comparison are those of the public function, for the neurons of each scoring."""

from dataclasses import replace

import numpy as np
import pytest

from tl_experts import silencing_matrix
from tl_experts.study.comparison.bench import CompareBench, read_corpora
from tl_experts.study.comparison.result import CAUSE, stage_names

pytestmark = pytest.mark.slow


def test_the_tables_are_those_of_the_public_function(compared, compare_config, mini):
    dev, test = read_corpora(compare_config)
    bench = CompareBench(compare_config, mini, dev, test, compared.folder, progress=False)
    experts = bench.builder("es").best("auroc", compare_config.silencing_count)
    assert experts.counts == {"es": 20}
    options = {"control_seeds": compare_config.control_seeds, "seed": compare_config.seed, "resamples": 500}
    matrix = silencing_matrix(mini, experts, test.head(compare_config.silencing_rows), **options, progress=False)
    wanted = matrix.to_pandas()
    mine = compared["silencing"]
    assert list(mine["text"]) == list(wanted["text"])
    np.testing.assert_allclose(mine[["change", "control"]], wanted[["change", "control"]], rtol=1e-4, atol=1e-6)
    (summary,) = compared["silencing_summary"].to_dict("records")
    assert summary["diagonality"] == pytest.approx(matrix.diagonality.value.value, rel=1e-4)


def test_it_can_be_switched_off(compare_config):
    assert CAUSE in stage_names(compare_config)
    assert CAUSE not in stage_names(replace(compare_config, silencing_rows=0))
