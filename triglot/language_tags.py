"""Language tags as file names and records have them: one pattern for all readers, one spelling (BCP 47) from there on.

`zh_cn`, `zh-CN` and `ZH-cn` are `zh-CN`; `eng` is `en`, `arb_Arab` is `ar-Arab`, `iw` is `he` (the shortest code, as
BCP 47 and CLDR have it). Script and region stay, so `zh-CN` and `zh-TW`, `sr-Latn` and `sr-Cyrl` are languages of their
own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache

from triglot.files import InputError
from triglot.names import check_name

# For patterns of file names; `tag` tells whether it is one.
TAG = r"[A-Za-z]{2,3}(?:[-_][A-Za-z]{4})?(?:[-_](?:[A-Za-z]{2}|[0-9]{3}))?"
_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?")
_RENAMED = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv"}
_NO_LANGUAGE = frozenset(
    re.findall("[a-z]+", "all dev dl doc faq ids log new neg old out pos qa qas raw set src tgt tmp trn tst txt val")
)


@cache
def _shorter() -> dict[str, str]:
    """Codes of three letters -> of two, and those of a language's usual member (`cmn`, `arb`, `swh`) too."""
    from babel.core import get_global

    codes = {
        long: short for long, short in get_global("language_aliases").items() if len(long) == 3 and len(short) == 2
    }
    # CLDR has them under `ak` and `fil`, which data sets keep apart from them.
    return codes | {
        "twi": "tw",
        "tgl": "tl",
    }


@cache
def _english() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Languages, scripts and regions that CLDR knows."""
    from babel import Locale

    locale = Locale("en")
    return frozenset(locale.languages), frozenset(locale.scripts), frozenset(map(str, (*locale.territories, "UK")))


def _known(primary: str) -> bool:
    return primary not in _NO_LANGUAGE and (primary in _RENAMED or primary in _english()[0] or primary in _shorter())


def is_known(code: str) -> bool:
    """Whether CLDR knows the language of a tag."""
    return _known(base(code))


@lru_cache(maxsize=4096)
def tag(text: str) -> str | None:
    """A tag in its one spelling, None for what is no tag: `dev`, `english`, `de-test` (no such script), `en-de` is one
    (in Germany)."""
    match = _TAG.fullmatch(text)
    if match is None:
        return None
    primary, script, region = match[1].lower(), (match[2] or "").title(), (match[3] or "").upper()
    if primary in _NO_LANGUAGE:
        return None
    if script or region:
        _, scripts, regions = _english()
        if (
            (script and script not in scripts)
            or (region and region not in regions)
            or (len(primary) == 3 and not _known(primary))
        ):
            return None
    primary = _RENAMED.get(primary, primary) if len(primary) == 2 else _shorter().get(primary, primary)
    return "-".join(part for part in (primary, script, region) if part)


def language(value: object, where: str = "") -> str:
    """The language that a record or a setting names: a tag in its one spelling, any other name as it is.

    Raises:
        InputError: it is no text, or cannot become part of a file name.
    """
    return (tag(value) if isinstance(value, str) else None) or check_name("language", value, where)


def wanted(codes: Iterable[str] | None) -> list[str] | None:
    """Languages that are asked for, in the spelling of `language`, each once; None stays None."""
    return None if codes is None else list(dict.fromkeys(map(language, codes)))


def base(code: str) -> str:
    """The language of a tag without script and region: what a rule goes by that holds for `pt` and `pt-BR` alike."""
    return code.partition("-")[0]


def without_usual_script(code: str) -> str:
    """A tag without the script that its language is usually written in: `en-Latn` -> `en`; `zh-Hant`, `hi-Latn` stay.

    For data sets that write a script in every tag.
    """
    from babel.core import get_global

    primary, *rest = code.split("-")
    if not rest or len(rest[0]) != 4:
        return code
    usual = get_global("likely_subtags").get(primary, "").split("_")
    return "-".join([primary, *rest[1:]]) if rest[0] in usual else code


def of_name(stem: str) -> str | None:
    """The language that a file name without suffix tells, the last of several: `xx`, `dev.zh-CN`,
    `tydiqa.goldp.xx.dev`, `squad_pt-br`.

    Between other words only codes that CLDR knows are taken for one.
    """
    if (whole := tag(stem)) is not None:
        return whole
    for part in reversed(stem.split(".")):
        if (code := tag(part)) is not None and (len(_primary(part)) == 2 or _known(_primary(part))):
            return code
    words = re.split(r"[._-]", stem)
    ends = (_ending(words[:last], _known) for last in range(len(words), 0, -1))
    return next((code for code in ends if code is not None), None)


def ending(stem: str) -> str | None:
    """The language that stands at the end of a name: `docs-xx`, `miracl-v1.0-zh-CN`."""
    return tag(stem) or _ending(re.split(r"[._-]", stem), lambda primary: len(primary) == 2 or _known(primary))


def _ending(words: Sequence[str], known: Callable[[str], bool]) -> str | None:
    for size in (3, 2, 1):
        text = "-".join(words[-size:])
        code = tag(text) if size <= len(words) and known(words[-size].lower()) else None
        if code is not None and (size == 1 or _native(code) or _capitals(text)):  # `squad-en-es` is Spanish
            return code
    return None


def _primary(text: str) -> str:
    return re.split("[-_]", text, maxsplit=1)[0].lower()


def _native(code: str) -> bool:
    """Whether the main language of the region is the tag's, or there is no region: `pt-BR` and `zh-TW`, but not
    `en-PT`."""
    from babel.core import get_global

    primary, *rest = code.split("-")
    region = rest[-1] if rest and len(rest[-1]) < 4 else ""
    return not region or get_global("likely_subtags").get(f"und_{region}", "").partition("_")[0] == primary


def two_of_name(stem: str, where: str) -> tuple[str, str] | None:
    """Both languages of a name such as `xx-yy`, `zh-cn-en`, `en-pt_BR`, `eng-Latn-deu-Latn`; None where it tells no two
    languages.

    Raises:
        InputError: it can be read in two ways (`en-pt-br`: Breton, or the Portuguese of Brazil?), and neither is the
            usual one.
    """
    places = [match.start() for match in re.finditer("-", stem)]
    ways = [(stem[:at], stem[at + 1 :]) for at in places]
    ways = [(a, b) for a, b in ways if tag(a) is not None and tag(b) is not None]
    for better in (
        lambda a, b: _capitals(a) and _capitals(b),
        lambda a, b: _known(_primary(a)) and _known(_primary(b)),
        _both_native,
    ):
        if len(ways) > 1:
            ways = [way for way in ways if better(*way)] or ways
    readings = [(tag(a) or "", tag(b) or "") for a, b in ways]
    if len(readings) > 1:
        meanings = " or ".join(f"{a} and {b}" for a, b in readings)
        raise InputError(
            f"{where}: its name means {meanings}; write region and language with an underscore, as in xx-pt_BR"
        )
    return readings[0] if readings and readings[0][0] != readings[0][1] else None


def _capitals(text: str) -> bool:
    """Whether every part is written as its place asks: `pt-BR`, `zh-Hans`; false for `en-pt` read as English in
    Portugal."""
    return all(part == (part.upper() if len(part) != 4 else part.title()) for part in re.split("[-_]", text)[1:])


def _both_native(a: str, b: str) -> bool:
    return _native(tag(a) or a) and _native(tag(b) or b)
