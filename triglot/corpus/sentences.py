"""A small rule-based sentence splitter for paragraphs whose publisher gives no sentence breaks."""

from __future__ import annotations

import re

from triglot.language_tags import base

# A stop, the stops, footnote marks and closing quotes or brackets that follow it.
_STOP = re.compile(r"""[.!?…。！？｡।॥۔؟;\u037e\n][.!?…。！？｡।॥۔؟]*(?:\[\d+\])*["'”’»」』）》)\]]*""")
_WIDE = frozenset("。！？｡।॥۔؟")  # these need no space after them
_NEW_LINE = re.compile(r"\s*[^\s\d\W]")
_LAST_WORD = re.compile(r"""([^\s("'“‘\[«—–-]*)$""")
_NEXT_WORD = re.compile(r"""\s+["'“‘«(\[¿¡]*(\S[^\s.,;:!?]*)""")
_ACRONYM = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]$")


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


# These are always followed by the rest of their sentence.
_TITLES = _words(
    "mr mrs ms dr prof st ste mt ft gen col sgt capt lt cmdr adm maj gov sen rep rev hon pres msgr fr sr sra "
    "srta dra prov dept "
    "c v vs cf e.g i.e viz al ca approx esp incl resp fig figs eq vol vols pp ed eds art ch sec op cit nos bzw "
    "z.b d.h u.a ggf bspw"
)
# These end a sentence only where a common first word follows.
_MAYBE = _words(
    "jr inc ltd co corp bros etc no p a.m p.m est ave blvd rd jan feb mar apr jun jul aug sep sept oct nov dec "
    "mon tue wed thu fri sat sun ph.d m.d b.a m.a d.c u.s u.k u.n u.s.a"
)
_STARTERS = _words(
    "the a an in on at it its he she they we this that these those there his her their our as after before when "
    "while although "
    "however since during by for from with to but and if both most some many all other another one according "
    "despite because "
    "what who how where which under over until unlike today later also such each no not i you my"
)
_ORDINAL_LANGUAGES = _words("de da no nb nn fi cs sk hu et lv hr sr sl tr pl is")  # "3. Oktober" is one date


def _ends_here(text: str, start: int, stop: str, end: int, lang: str) -> bool:
    """Whether a stop at [start, end) that white space follows ends its sentence."""
    following = _NEXT_WORD.match(text, end)
    if following is None:
        return True
    word = following[1]
    if word[0].islower():
        return False
    if stop[0] != "." or stop.startswith(".."):
        return True
    before = _LAST_WORD.search(text, max(0, start - 24), start)
    last = before[1] if before else ""
    lower = last.lower()
    if lower in _TITLES:
        # A stop that closes a quotation or bracket belongs to more than the abbreviation: "(pers. comm. Dr.)" is rare
        # enough.
        return len(stop) > 1
    if lower == "no" and not word[0].isdigit():
        return True
    if lower in _MAYBE or (last and last[0].isupper() and _ACRONYM.match(last)):
        return word.lower() in _STARTERS
    return not (last.isdigit() and len(last) <= 2 and base(lang) in _ORDINAL_LANGUAGES)


def split(text: str, lang: str = "en") -> list[tuple[int, int]]:
    """Sentence spans of a paragraph: (start, end) in code points, without surrounding white space, in order, never
    empty.

    Abbreviations, initials and decimals do not end a sentence; closing quotes and brackets stay with it. Thai, which
    has no stops, comes back as one span a line.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _STOP.finditer(text):
        stop, end = match[0], match.end()
        first = stop[0]
        if first == "\n":
            ends = _NEW_LINE.match(text, end) is not None
        elif first in _WIDE or any(mark in _WIDE for mark in stop[1:]):
            ends = True
        elif end < len(text) and not text[end].isspace():
            ends = False
        elif first in ";\u037e":
            ends = base(lang) == "el"
        else:
            ends = _ends_here(text, match.start(), stop, end, lang)
        if ends:
            _append(spans, text, start, end)
            start = end
    _append(spans, text, start, len(text))
    return spans


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append((start, end))
