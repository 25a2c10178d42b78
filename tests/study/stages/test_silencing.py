"""The silencing stage measures what `silencing_matrix` does, for every scoring it is asked for."""

from dataclasses import replace

import numpy as np
import pytest

from tests.study.tables import row
from tl_experts import collect_both, score_responses, select_experts, silencing_matrix
from tl_experts.study.bench import Bench
from tl_experts.study.stages.silencing import silencing_matrices


@pytest.mark.parametrize("scoring", ["auroc", "lape", "dln"])
def test_the_tables_are_those_of_the_public_function(config, result, model, dev, held_out, scoring):
    responses, tokens = collect_both(model, dev, quantiles=True, progress=False)
    expertise = score_responses(responses, progress=False)
    k = config.k if scoring == "auroc" else None  # the others have rules of their own
    experts = select_experts(expertise, k=k, scoring=scoring, responses=responses, tokens=tokens)
    options = {"control_seeds": config.control_seeds, "seed": config.seed, "resamples": config.resamples}
    matrix = silencing_matrix(model, experts, held_out, **options, progress=False)
    table = result["silencing"]
    mine = table[table["scoring"] == scoring].drop(columns="scoring").reset_index(drop=True)
    wanted = matrix.to_pandas()
    assert mine[["silenced", "text", "neurons"]].equals(wanted[["silenced", "text", "neurons"]])
    numbers = wanted.columns[6:]
    np.testing.assert_allclose(mine[numbers], wanted[numbers], rtol=1e-4, atol=1e-6)
    summary = row(result["silencing_summary"], scoring=scoring)
    assert summary["diagonality"] == pytest.approx(matrix.diagonality.value.value, rel=1e-4)
    assert summary["control_contrast"] == pytest.approx(matrix.control_diagonality.contrast.value, rel=1e-3, abs=1e-6)
    assert summary["neurons"] == matrix.neurons.mean()


def test_it_is_off_unless_scorings_are_named(config, splits, model, tmp_path, monkeypatch):
    monkeypatch.setattr("tl_experts.models.forward.forward_pass", None)
    bench = Bench(replace(config, silencing=()), splits, model, tmp_path, progress=False)
    assert silencing_matrices(bench) == {"silencing": [], "silencing_summary": []}
