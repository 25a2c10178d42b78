"""Language codes: their short form, what is refused, and which columns name a language."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.messages import says
from tl_experts.corpus.languages import language_code, names_language, require_distinct, script_of
from tl_experts.errors import CorpusError

FLORES_200 = """
    ace_Arab ace_Latn acm_Arab acq_Arab aeb_Arab afr_Latn ajp_Arab aka_Latn als_Latn amh_Ethi apc_Arab arb_Arab
    arb_Latn ars_Arab ary_Arab arz_Arab asm_Beng ast_Latn awa_Deva ayr_Latn azb_Arab azj_Latn bak_Cyrl bam_Latn
    ban_Latn bel_Cyrl bem_Latn ben_Beng bho_Deva bjn_Arab bjn_Latn bod_Tibt bos_Latn bug_Latn bul_Cyrl cat_Latn
    ceb_Latn ces_Latn cjk_Latn ckb_Arab crh_Latn cym_Latn dan_Latn deu_Latn dik_Latn dyu_Latn dzo_Tibt ell_Grek
    eng_Latn epo_Latn est_Latn eus_Latn ewe_Latn fao_Latn fij_Latn fin_Latn fon_Latn fra_Latn fur_Latn fuv_Latn
    gla_Latn gle_Latn glg_Latn grn_Latn guj_Gujr hat_Latn hau_Latn heb_Hebr hin_Deva hne_Deva hrv_Latn hun_Latn
    hye_Armn ibo_Latn ilo_Latn ind_Latn isl_Latn ita_Latn jav_Latn jpn_Jpan kab_Latn kac_Latn kam_Latn kan_Knda
    kas_Arab kas_Deva kat_Geor knc_Arab knc_Latn kaz_Cyrl kbp_Latn kea_Latn khm_Khmr kik_Latn kin_Latn kir_Cyrl
    kmb_Latn kmr_Latn kon_Latn kor_Hang lao_Laoo lij_Latn lim_Latn lin_Latn lit_Latn lmo_Latn ltg_Latn ltz_Latn
    lua_Latn lug_Latn luo_Latn lus_Latn lvs_Latn mag_Deva mai_Deva mal_Mlym mar_Deva min_Arab min_Latn mkd_Cyrl
    plt_Latn mlt_Latn mni_Beng khk_Cyrl mos_Latn mri_Latn mya_Mymr nld_Latn nno_Latn nob_Latn npi_Deva nso_Latn
    nus_Latn nya_Latn oci_Latn gaz_Latn ory_Orya pag_Latn pan_Guru pap_Latn pes_Arab pol_Latn por_Latn prs_Arab
    pbt_Arab quy_Latn ron_Latn run_Latn rus_Cyrl sag_Latn san_Deva sat_Olck scn_Latn shn_Mymr sin_Sinh slk_Latn
    slv_Latn smo_Latn sna_Latn snd_Arab som_Latn sot_Latn spa_Latn srd_Latn srp_Cyrl ssw_Latn sun_Latn swe_Latn
    swh_Latn szl_Latn tam_Taml taq_Latn taq_Tfng tat_Cyrl tel_Telu tgk_Cyrl tgl_Latn tha_Thai tir_Ethi tpi_Latn
    tsn_Latn tso_Latn tuk_Latn tum_Latn tur_Latn twi_Latn tzm_Tfng uig_Arab ukr_Cyrl umb_Latn urd_Arab uzn_Latn
    vec_Latn vie_Latn war_Latn wol_Latn xho_Latn ydd_Hebr yor_Latn yue_Hant zho_Hans zho_Hant zsm_Latn zul_Latn
""".split()  # noqa: SIM905 (204 lines else)


@pytest.mark.parametrize(
    ("given_code", "short"),
    [
        ("en", "en"),
        ("eng", "en"),
        ("EN", "en"),
        (" en ", "en"),
        ("eng_Latn", "en"),
        ("jpn_Jpan", "ja"),
        ("PT-br", "pt-BR"),
        ("es-419", "es-419"),
        ("zh_hant", "zh-Hant"),
        ("zho_Hant", "zh-Hant"),
        ("zho_Hans", "zh"),
        ("arb_Arab", "ar"),
        ("arb_Latn", "ar-Latn"),
        ("ceb_Latn", "ceb"),
        ("min_Arab", "min-Arab"),
        ("min_Latn", "min-Latn"),
        ("srp_Cyrl", "sr"),
        ("srp_Latn", "sr-Latn"),
        ("hin_Deva", "hi"),
        ("hin_Latn", "hi-Latn"),
        ("npi_Latn", "ne-Latn"),
        ("cmn_Hans", "zh"),
        ("cmn_Hant", "zh-Hant"),
        ("zh-Hans", "zh"),
        ("zh-Hans-TW", "zh-Hans-TW"),
        ("zh-TW", "zh-TW"),
        ("uzn_Cyrl", "uz-Cyrl"),
        ("kaz_Latn", "kk-Latn"),
        ("bos_Cyrl", "bs-Cyrl"),
        ("azj_Cyrl", "az-Cyrl"),
        ("snd_Deva", "sd-Deva"),
        ("mni_Mtei", "mni-Mtei"),
        ("sat_Deva", "sat-Deva"),
        ("fil_Latn", "fil"),
        ("ekk_Latn", "et"),
        ("ara", "ar"),
        ("arb", "ar"),
        ("lav", "lv"),
        ("lvs", "lv"),
        ("sqi", "sq"),
        ("als", "sq"),
        ("fas", "fa"),
        ("pes", "fa"),
        ("zh-yue", "yue"),
        ("kon_Latn", "kg"),
    ],
)
def test_a_code_becomes_its_short_bcp47_form(given_code: str, short: str) -> None:
    assert language_code(given_code) == short


@pytest.mark.parametrize("code", ["", " ", "e", "english", "en-", "en--US", "42", "e2", "ру", "en us", "eng_"])
def test_what_has_not_the_form_of_a_code_is_refused(code: str) -> None:
    with pytest.raises(CorpusError, match=says(repr(code), "expected a BCP-47 code", "'eng_Latn'")):
        language_code(code)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Spanish", "es"),
        ("english", "en"),
        ("Farsi", "fa"),
        ("Persian", "fa"),
        ("Mandarin", "zh"),
        ("Bengali", "bn"),
        ("Castilian", "es"),
        ("Slovene", "sl"),
        ("Uighur", "ug"),
        ("Simplified Chinese", "zh"),
        ("Chinese (Traditional)", "zh-Hant"),
        ("Brazilian Portuguese", "pt-BR"),
        ("Deutsch", "de"),
        ("日本語", "ja"),
        ("فارسی", "fa"),
    ],
)
def test_the_name_of_a_language_is_answered_with_its_code(name: str, code: str) -> None:
    with pytest.raises(CorpusError, match=says(repr(name), f"did you mean {code!r}?")):
        language_code(name)


@pytest.mark.parametrize("name", ["klingonish", "english please", "spanish_text", "source", "title", "context"])
def test_words_that_only_begin_like_a_name_get_no_hint(name: str) -> None:
    with pytest.raises(CorpusError) as refused:
        language_code(name)
    assert "did you mean" not in str(refused.value)


def test_flores_200_keeps_its_languages_apart() -> None:
    assert len(FLORES_200) == 204
    short = {code: language_code(code) for code in FLORES_200}
    assert len(set(short.values())) == len(FLORES_200)
    assert all(names_language(code) for code in FLORES_200)


@pytest.mark.parametrize("code", ["eng_Latn", "jpn_Jpan", "zho_Hant", "srp_Cyrl"])
def test_the_case_of_a_flores_code_does_not_change_the_language(code: str) -> None:
    assert language_code(code.lower()) == language_code(code.upper()) == language_code(code)


@settings(max_examples=300)
@given(st.from_regex(r"[a-zA-Z]{1,4}([-_][a-zA-Z0-9]{1,8}){0,3}", fullmatch=True) | st.sampled_from(FLORES_200))
@example("zh_hant")
@example("yue_Hant")
def test_a_short_code_stays_as_it_is(code: str) -> None:
    try:
        short = language_code(code)
    except CorpusError:
        return
    assert language_code(short) == short
    assert "_" not in short


@pytest.mark.parametrize("column", ["en", "EN", "pt-BR", "zh-Hant", "zh_hant", "deu", "deu_Latn", "ceb_Latn", "id"])
def test_a_column_named_like_a_language_is_one(column: str) -> None:
    assert names_language(column)


@pytest.mark.parametrize(
    "column", ["text", "language", "row", "row_id", "url", "tag", "split", "", "english", "is_valid", "my_text", "id_2"]
)
def test_a_column_of_another_name_is_no_language(column: str) -> None:
    assert not names_language(column)


def test_two_labels_of_one_language_raise_an_error_that_names_both() -> None:
    assert require_distinct(["srp_Cyrl", "srp_Latn", "en", "en"], "a.csv") == {
        "srp_Cyrl": "sr",
        "srp_Latn": "sr-Latn",
        "en": "en",
    }
    with pytest.raises(CorpusError, match=says("a.csv: 'zh' and 'cmn_Hans' are both the language 'zh'")):
        require_distinct(["zh", "en", "cmn_Hans"], "a.csv")


def test_the_script_of_every_flores_code_is_the_one_it_says() -> None:
    same = {"Hang": "Kore"}  # CLDR's code for Hangul and Han together
    for code in FLORES_200:
        script = code.partition("_")[2]
        assert script_of(code) == same.get(script, script), code
    assert script_of("qaa") == "Latn"  # reserved for private use: nothing is known of it
    with pytest.raises(CorpusError, match="'spanisch' is not a language code"):
        script_of("spanisch")
