"""Languages by their English names, as OpenAI's transcripts spell them and OPEA's clients ask for them."""

from typing import Final


def english_name(code: str | None) -> str:
    """Of one that nobody knows, the code."""
    return _NAMES.get(code or "", code or "unknown")


def code_of(name: str) -> str | None:
    """None for what is no name of a language."""
    return _CODES.get(name.lower())


_TABLE: Final = """
    af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian, bg bulgarian,
    bn bengali, bo tibetan, br breton, bs bosnian, ca catalan, cs czech, cy welsh, da danish, de german,
    el greek, en english, es spanish, et estonian, eu basque, fa persian, fi finnish, fo faroese, fr french,
    gl galician, gu gujarati, ha hausa, haw hawaiian, he hebrew, hi hindi, hr croatian, ht haitian creole,
    hu hungarian, hy armenian, id indonesian, is icelandic, it italian, ja japanese, jw javanese, ka georgian,
    kk kazakh, km khmer, kn kannada, ko korean, la latin, lb luxembourgish, ln lingala, lo lao, lt lithuanian,
    lv latvian, mg malagasy, mi maori, mk macedonian, ml malayalam, mn mongolian, mr marathi, ms malay,
    mt maltese, my myanmar, ne nepali, nl dutch, nn nynorsk, no norwegian, oc occitan, pa punjabi, pl polish,
    ps pashto, pt portuguese, ro romanian, ru russian, sa sanskrit, sd sindhi, si sinhala, sk slovak,
    sl slovenian, sn shona, so somali, sq albanian, sr serbian, su sundanese, sv swedish, sw swahili,
    ta tamil, te telugu, tg tajik, th thai, tk turkmen, tl tagalog, tr turkish, tt tatar, uk ukrainian,
    ur urdu, uz uzbek, vi vietnamese, yi yiddish, yo yoruba, yue cantonese, zh chinese
"""
_NAMES: Final = dict(entry.strip().split(maxsplit=1) for entry in _TABLE.split(","))
_CODES: Final = {name: code for code, name in _NAMES.items()}
