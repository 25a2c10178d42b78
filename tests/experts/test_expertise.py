"""Expertise knows its languages, neurons and origin; values that cannot be scored raise an error."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.experts.scoring import columns_of, expertise_of, respond, same_bits
from tl_experts.errors import ResponseError, TLExpertsWarning
from tl_experts.experts.auroc import STATISTICS
from tl_experts.experts.expertise import score_responses
from tl_experts.responses.neurons import NeuronTable

# Where languages are drawn by chance, one has often a single sentence.
pytestmark = pytest.mark.filterwarnings("ignore:.*only one sentence")


def test_a_language_with_one_sentence_warns_and_has_that_response_as_mean_median_and_p90():
    with pytest.warns(TLExpertsWarning, match="^en: only one sentence"):
        result = expertise_of([[7.5], [1], [2]], ["en", "de", "de"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expertise_of([[7.5], [1], [2], [3]], ["en", "de", "de", "en"])
    assert [columns_of(result, name)["en"].item() for name in ("mean", "median", "p90")] == [7.5] * 3


def test_memory_layout_of_the_responses_changes_no_bit(wide):
    values, labels = wide
    responses = respond(values, labels)
    transposed = replace(responses, values=responses.values.T.contiguous().T)
    assert not transposed.values.is_contiguous()
    same_bits(score_responses(responses, progress=False), score_responses(transposed, progress=False))


@pytest.mark.parametrize("store", [torch.bfloat16, torch.float16])
def test_responses_held_in_16_bits_score_as_the_same_numbers_in_32(wide, store):
    values, labels = wide
    rounded = replace(respond(values, labels), values=torch.as_tensor(values).to(store))
    same_bits(score_responses(rounded, progress=False), expertise_of(torch.as_tensor(values).to(store).float(), labels))


@pytest.mark.parametrize("bits", [0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0x7FFFFFFF])
def test_nan_is_refused_naming_layer_neuron_and_sentence_and_infinity_is_not(bits):
    values = np.zeros((4, 5), np.float32)
    responses = respond(values, ["en", "de", "en", "de"], table=NeuronTable((2, 6), (2, 3)))
    values.view(np.uint32)[2, 4] = bits
    assert np.isnan(values[2, 4])
    with pytest.raises(ResponseError, match=r"neuron L6 N2 to sentence 2 \('sentence 2'\) is NaN"):
        score_responses(replace(responses, values=torch.from_numpy(values)), progress=False)
    values[2, 4] = np.copysign(np.inf, -1.0 if bits >> 31 else 1.0)
    accepted = score_responses(replace(responses, values=torch.from_numpy(values)), progress=False)
    assert columns_of(accepted, "auroc")["en"][4] == (0.25 if bits >> 31 else 0.75)


@pytest.mark.parametrize("row", [0, 637, 999])
@pytest.mark.parametrize("column", [0, 130, 131, 262, 399])
def test_nan_in_any_chunk_is_named_by_its_own_index(wide, row, column):
    values, labels = wide
    values = values.copy()
    values[row, column] = np.nan
    with pytest.raises(ResponseError, match=rf"neuron L0 N{column} to sentence {row} "):
        expertise_of(values, labels)


@pytest.mark.parametrize("labels", [["en", "en", "en"], ["eng_Latn", "eng_Latn", "eng_Latn"]])
def test_one_language_raises_an_error_and_two_are_scored(labels):
    values = [[1.0], [2.0], [3.0]]
    with pytest.raises(ResponseError, match=r"only one language \(en\)"):
        expertise_of(values, labels)
    assert expertise_of(values, [*labels[:2], "de"]).languages == ("en", "de")


def test_expertise_says_where_it_is_from():
    responses = respond([[1, 2, 3], [4, 5, 6]], ["en", "de"], table=NeuronTable((1, 3), (1, 2)))
    result = score_responses(responses, progress=False)
    assert result.neurons == responses.neurons
    assert (result.site, result.pooling, result.fingerprint) == ("mlp.hook_post", "max", responses.fingerprint)
    assert result.corpus == responses.corpus.fingerprint


@pytest.mark.parametrize("name", STATISTICS)
def test_arrays_of_unequal_shape_are_refused(name):
    result = expertise_of([[1, 2], [3, 4]], ["en", "de"])
    assert replace(result, **{name: getattr(result, name).copy()}).languages == ("en", "de")
    with pytest.raises(ResponseError, match=rf"{name} has shape \(1, 2\); expected \(2, 2\)"):
        replace(result, **{name: getattr(result, name)[:1]})


def test_table_of_a_language_has_a_row_per_neuron_and_a_column_per_statistic():
    responses = respond([[1, 2, 3], [4, 0, 6]], ["es", "de"], table=NeuronTable((1, 3), (1, 2)))
    result = score_responses(responses, progress=False)
    table = result.to_pandas("de")
    assert list(table.columns) == ["layer", "neuron", *STATISTICS]
    assert table["layer"].tolist() == [1, 3, 3]
    assert table["neuron"].tolist() == [0, 0, 1]
    assert table["auroc"].tolist() == [1.0, 0.0, 1.0]
    assert table["mean"].tolist() == [4.0, 0.0, 6.0]
    assert table["negative_mean"].tolist() == [1.0, 2.0, 3.0]


def test_a_language_is_found_by_any_of_its_codes_and_refused_if_it_was_not_scored():
    result = expertise_of([[1.0], [2.0]], ["es", "de"])
    assert [result.column(code) for code in ("es", "spa_Latn", "deu", "DE")] == [0, 0, 1, 1]
    with pytest.raises(ResponseError, match=r"language 'fra_Latn' was not scored; .*'es'"):
        result.column("fra_Latn")
