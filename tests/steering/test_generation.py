"""Sampling, language id and perplexity: Hugging Face's numbers, hand-made windows, and laws."""

import math

import numpy as np
import pytest
import torch

from tl_experts import find_experts, steer
from tl_experts.errors import ModelError, TLExpertsError, TLExpertsWarning
from tl_experts.steering.generation import LanguageIdentifier, generate_texts, text_perplexity

TEXT = "Die Katze schläft auf dem warmen Dach. Seit dem frühen Morgen regnet es, und niemand will hinaus. " * 3


# --- sampling -------------------------------------------------------------------------------------------------------


def test_the_seed_decides_and_the_global_generator_is_left_alone(llama):
    options = {"max_new_tokens": 6, "progress": False}
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one = generate_texts(llama, 5, seed=1, **options)
    assert torch.equal(torch.rand(1), expected)
    assert len(one) == 5
    assert one == generate_texts(llama, 5, seed=1, **options)
    assert one != generate_texts(llama, 5, seed=2, **options)


@pytest.mark.parametrize("top_p", [None, 0.9])
def test_texts_are_those_of_the_models_own_generate(llama, top_p):
    """From the same state of the generator; its top-p sorts the whole vocabulary."""
    options = {"max_new_tokens": 6, "temperature": 0.8, "top_p": top_p}
    texts = generate_texts(llama, 5, seed=3, prompt="Die Katze", progress=False, **options)
    start = [0, *llama.tokenizer("Die Katze", add_special_tokens=False)["input_ids"]]
    torch.manual_seed(3)
    tokens = llama.generate(torch.tensor([start] * 5), stop_at_eos=False, verbose=False, **options)
    rows = [row[len(start) :] for row in tokens.tolist()]
    ends = {llama.tokenizer.bos_token_id, llama.tokenizer.eos_token_id, llama.tokenizer.pad_token_id}
    cuts = [next((at for at, token in enumerate(row) if token in ends), 6) for row in rows]
    assert texts == [llama.tokenizer.decode(row[:cut]).strip() for row, cut in zip(rows, cuts, strict=True)]


def test_almost_no_temperature_is_greedy_and_follows_the_prompt(llama):
    options = {"seed": 0, "max_new_tokens": 5, "temperature": 1e-4, "progress": False}
    texts = generate_texts(llama, 3, prompt="Die Katze", **options)
    assert len(set(texts)) == 1
    tokens = [0, *llama.tokenizer("Die Katze", add_special_tokens=False)["input_ids"]]
    with torch.inference_mode():
        for _ in range(5):
            tokens.append(int(llama(torch.tensor([tokens]))[0, -1].argmax()))
    new = tokens[-5:]
    special = {llama.tokenizer.bos_token_id, llama.tokenizer.eos_token_id, llama.tokenizer.pad_token_id}
    cut = next((i for i, token in enumerate(new) if token in special), 5)
    assert texts[0] == llama.tokenizer.decode(new[:cut]).strip()


@pytest.mark.parametrize("loader", ["model_of", "bridge_of"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_bos_is_text_also_where_it_is_the_padding_token(request, loader, side):
    model = request.getfixturevalue(loader)("llama")
    tokenizer = model.tokenizer
    pad, padding_side = tokenizer.pad_token, tokenizer.padding_side
    tokens = [tokenizer.bos_token_id]
    with torch.inference_mode():
        for _ in range(6):
            tokens.append(int(model(torch.tensor([[*tokens]]))[0, -1].argmax()))
    try:
        tokenizer.pad_token, tokenizer.padding_side = tokenizer.bos_token, side
        [text] = generate_texts(model, 1, seed=0, max_new_tokens=6, temperature=1e-4, progress=False)
        assert tokenizer.padding_side == side
    finally:
        tokenizer.pad_token, tokenizer.padding_side = pad, padding_side
    special = {tokenizer.bos_token_id, tokenizer.eos_token_id}
    cut = next((i for i, token in enumerate(tokens[1:]) if token in special), 6)
    assert text == tokenizer.decode(tokens[1 : 1 + cut], skip_special_tokens=True).strip()


def test_top_p_keeps_to_the_likeliest_tokens(llama):
    with torch.inference_mode():
        likeliest = int(llama(torch.tensor([[0]]))[0, -1].argmax())
    texts = generate_texts(llama, 20, seed=0, max_new_tokens=1, top_p=1e-6, progress=False)
    assert set(texts) == {llama.tokenizer.decode([likeliest], skip_special_tokens=True).strip()}
    assert len(set(generate_texts(llama, 20, seed=0, max_new_tokens=1, top_p=None, progress=False))) > 3


def test_batches_make_up_the_count(llama):
    assert len(generate_texts(llama, 7, seed=0, max_new_tokens=2, batch_size=3, progress=False)) == 7


def test_steering_changes_the_texts_and_leaving_restores_them(llama, corpus):
    experts = find_experts(llama, corpus, k=20, progress=False)["ja"]
    plain = generate_texts(llama, 4, seed=0, max_new_tokens=8, progress=False)
    with steer(llama, experts):
        assert generate_texts(llama, 4, seed=0, max_new_tokens=8, progress=False) != plain
    assert generate_texts(llama, 4, seed=0, max_new_tokens=8, progress=False) == plain


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count is 0"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"max_new_tokens": 512}, "do not fit the context of 512"),
    ],
)
def test_options_out_of_range_are_refused(llama, options, message):
    arguments = {"count": 1, "seed": 0, "progress": False} | options
    with pytest.raises((TLExpertsError, ModelError), match=message):
        generate_texts(llama, arguments.pop("count"), **arguments)


# --- language id ----------------------------------------------------------------------------------------------------


def test_languages_are_told_apart():
    identify = LanguageIdentifier(["en", "de", "ja"])
    texts = ["The cat sleeps on the warm roof.", "Die Katze schläft auf dem Dach.", "猫は屋根の上で眠っている。", " "]
    table = identify.probabilities(texts)
    assert table.argmax(axis=1)[:3].tolist() == [0, 1, 2]
    np.testing.assert_allclose(table.sum(axis=1), [1, 1, 1, 0])
    assert identify.share(texts, "de") == 0.25
    assert identify.share([" "], "en") == 0


def test_the_probabilities_are_langid_pys():
    from py3langid.langid import MODEL_FILE
    from py3langid.langid import LanguageIdentifier as Langid

    reference = Langid.from_model_file(MODEL_FILE)
    reference.set_languages(["en", "fr", "es"])
    text = "El documento y la table"
    scores = dict(reference.rank(text))
    expected = np.exp([scores[language] for language in ("en", "fr", "es")])
    found = LanguageIdentifier(["en", "fr", "es"]).probabilities([text])[0]
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-6)


def test_a_language_that_langid_does_not_know_falls_back_to_its_base_with_a_warning():
    texts = ["O gato dorme no telhado quente da casa.", "貓在屋頂上睡覺。", "The cat sleeps on the warm roof."]
    with pytest.warns(
        TLExpertsWarning, match="pt-BR is identified as pt, zh-Hant is identified as zh, tok is left out"
    ):
        found = LanguageIdentifier(["pt-BR", "zh-Hant", "en", "tok"])
    assert found.languages == ("pt-BR", "zh-Hant", "en")
    expected = LanguageIdentifier(["pt", "zh", "en"]).probabilities(texts)
    np.testing.assert_array_equal(found.probabilities(texts), expected)
    assert [found.share(texts, language) for language in found.languages] == [1 / 3] * 3
    with pytest.raises(TLExpertsError, match="language 'tok' is not known"):
        found.share(texts, "tok")


def test_languages_of_one_base_have_its_probability():
    with pytest.warns(TLExpertsWarning, match="pt-BR is identified as pt$"):
        found = LanguageIdentifier(["pt", "pt-BR", "en"])
    text = "O gato dorme no telhado quente da casa."
    (pt, brazilian, en) = found.probabilities([text])[0]
    assert pt == brazilian > 0.9
    assert pt + en == pytest.approx(1)
    assert found.share([text], "pt") == found.share([text], "pt-BR") == 1


def test_languages_that_langid_knows_give_no_warning(recwarn):
    assert LanguageIdentifier(["nb", "en"]).languages == ("nb", "en")
    assert not [warning for warning in recwarn if issubclass(warning.category, TLExpertsWarning)]


def test_fewer_than_two_known_languages_and_no_text_raise_an_error():
    with pytest.raises(TLExpertsError, match="does not know tok"):
        LanguageIdentifier(["en", "tok"])
    with pytest.raises(TLExpertsError, match="two or more"):
        LanguageIdentifier(["en"])
    with pytest.raises(TLExpertsError, match="two or more"):
        LanguageIdentifier(["pt", "pt-BR"])
    with pytest.raises(TLExpertsError, match="no text"):
        LanguageIdentifier(["en", "de"]).share([], "en")


# --- perplexity -----------------------------------------------------------------------------------------------------


def test_one_window_is_hugging_faces_loss(model_of, hugging_face):
    found = text_perplexity(model_of("llama"), TEXT, progress=False)
    ids = model_of("llama").tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        tokens = torch.tensor([[0, *ids]])
        loss = hugging_face("llama")(tokens, labels=tokens).loss
    assert found.tokens == len(ids)
    assert found.perplexity == pytest.approx(math.exp(loss), rel=1e-4)
    assert found.bits_per_byte == pytest.approx(float(loss) * len(ids) / math.log(2) / len(TEXT.encode()), rel=1e-4)


@pytest.mark.parametrize(("window", "stride"), [(33, 8), (33, 32), (33, 500), (20, 1), (64, 63)])
def test_every_token_is_scored_once_in_its_window(llama, window, stride):
    ids = llama.tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    room, step = window - 1, min(stride, window - 1)
    expected, scored = 0.0, 0
    for begin in range(0, len(ids), step):
        piece = [0, *ids[begin : begin + room]]
        with torch.inference_mode():
            logits = llama(torch.tensor([piece]))[0].double().log_softmax(-1)
        for place in range(scored, min(begin + room, len(ids))):
            expected -= float(logits[place - begin, ids[place]])
        scored = max(scored, min(begin + room, len(ids)))
    found = text_perplexity(llama, TEXT, window=window, stride=stride, progress=False)
    assert found.tokens == len(ids)
    assert found.nats == pytest.approx(expected, rel=1e-5)


def test_bad_windows_and_empty_texts_are_refused(llama):
    for options, message in (
        ({"window": 1}, "window of 2 to 512"),
        ({"window": 513}, "window of 2 to 512"),
        ({"stride": 0}, "stride from 1"),
    ):
        with pytest.raises(TLExpertsError, match=message):
            text_perplexity(llama, TEXT, progress=False, **options)
    with pytest.raises(TLExpertsError, match="no token to predict"):
        text_perplexity(llama, "", progress=False)
