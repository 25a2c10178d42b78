"""Language codes: BCP-47 short codes, with FLORES-200 codes such as ``eng_Latn`` accepted and translated."""

import re

from tl_experts.errors import CorpusError

# ISO 639-3 -> ISO 639-1 for the FLORES-200 languages that have a two-letter code (facts of the ISO registry).
_PAIRS = """
afr:af aka:ak amh:am arb:ar asm:as azj:az bak:ba bam:bm bel:be ben:bn bod:bo bos:bs bul:bg cat:ca ces:cs cym:cy
dan:da deu:de dzo:dz ell:el eng:en epo:eo est:et eus:eu ewe:ee fao:fo fij:fj fin:fi fra:fr gle:ga gla:gd glg:gl
grn:gn guj:gu hat:ht hau:ha heb:he hin:hi hrv:hr hun:hu hye:hy ibo:ig ind:id isl:is ita:it jav:jv jpn:ja kan:kn
kas:ks kat:ka kaz:kk khk:mn khm:km kik:ki kin:rw kir:ky kon:kg kor:ko lao:lo lim:li lin:ln lit:lt ltz:lb lug:lg
lvs:lv mal:ml mar:mr mkd:mk mlt:mt mri:mi mya:my nld:nl nno:nn nob:nb npi:ne nya:ny oci:oc ory:or pan:pa pbt:ps
pes:fa plt:mg pol:pl por:pt ron:ro run:rn rus:ru sag:sg san:sa sin:si slk:sk slv:sl smo:sm sna:sn snd:sd som:so
sot:st spa:es srd:sc srp:sr ssw:ss sun:su swe:sv swh:sw tam:ta tat:tt tel:te tgk:tg tgl:tl tha:th tir:ti tsn:tn
tso:ts tuk:tk tur:tr twi:tw uig:ug ukr:uk urd:ur uzn:uz vie:vi wol:wo xho:xh ydd:yi yor:yo zho:zh zsm:ms zul:zu
"""
_TO_SHORT = dict(pair.split(":") for pair in _PAIRS.split())
# Scripts that FLORES-200 has beside a language's usual one: these keep the script in the code.
_SECOND_SCRIPT = {"arb_Latn", "kas_Deva", "zho_Hant"}
_TWO_SCRIPTS_NO_SHORT = {"ace", "bjn", "knc", "min", "taq"}

# Scripts that a column or file name may carry ("zh_Hant"): those of FLORES-200.
_SCRIPT_NAMES = """
Arab Armn Beng Cyrl Deva Ethi Geor Grek Gujr Guru Hang Hans Hant Hebr Jpan Khmr Knda Laoo Latn Mlym Mymr Olck
Orya Sinh Taml Telu Tfng Thai Tibt
"""
_SCRIPTS = frozenset(_SCRIPT_NAMES.split())
# FLORES-200 languages without a two-letter code.
_LONG_CODES = """
zh_Hant ace acm acq aeb ajp als apc ars ary arz ast awa ayr azb ban bem bho bjn bug ceb cjk ckb crh dik dyu fon
fur fuv gaz hne ilo kab kac kam kbp kea kmb kmr knc lij lmo ltg lua luo lus mag mai min mni mos nso nus pag pap
prs quy sat scn shn szl taq tpi tum tzm umb vec war yue
"""
_LONG = frozenset(_LONG_CODES.split())

_FLORES = re.compile(r"([a-z]{3})_([a-z]{4})", re.IGNORECASE | re.ASCII)
_BCP47 = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?(-[A-Za-z0-9]{4,8})*")


def language_code(code: str) -> str:
    """Normalise a language code to its BCP-47 short form.

    Examples:
        >>> [language_code(c) for c in ("en", "PT-br", "zh_hant", "jpn_Jpan", "zho_Hant", "eng")]
        ['en', 'pt-BR', 'zh-Hant', 'ja', 'zh-Hant', 'en']

    Raises:
        CorpusError: the code has not the form of a BCP-47 or FLORES code.
    """
    text = code.strip() if isinstance(code, str) else ""
    flores = _FLORES.fullmatch(text)
    if flores:
        language, script = flores[1].lower(), flores[2].title()
        short = _TO_SHORT.get(language, language)
        keeps_script = f"{language}_{script}" in _SECOND_SCRIPT or language in _TWO_SCRIPTS_NO_SHORT
        return f"{short}-{script}" if keeps_script else short
    parts = text.replace("_", "-").split("-")
    language = _TO_SHORT.get(parts[0].lower(), parts[0].lower())
    normalised = "-".join([language, *map(_subtag, parts[1:])])
    if not _BCP47.fullmatch(normalised):
        raise CorpusError(
            f"{code!r} is not a language code; expected a BCP-47 code such as 'en', 'pt-BR' or 'zh-Hant', "
            "or a FLORES code such as 'eng_Latn'"
        )
    return normalised


def names_language(column: str) -> bool:
    """Whether a column or file is surely named after a language: stricter than `language_code`.

    Three letters alone are taken only where FLORES-200 has them, so that ``url`` or ``tag`` is no language.

    Examples:
        >>> [names_language(c) for c in ("en", "zh-Hant", "deu_Latn", "deu", "url", "text")]
        [True, True, True, True, False, False]
    """
    try:
        base, *rest = language_code(column).split("-")
    except CorpusError:
        return False
    known = len(base) == 2 or base in _LONG
    return known and all(part in _SCRIPTS or len(part) < 4 for part in rest) and len(rest) < 3


def _subtag(part: str) -> str:
    if len(part) == 4 and part.isalpha():
        return part.title()
    return part.upper() if len(part) == 2 else part.lower()
