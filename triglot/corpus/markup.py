"""HTML in the texts of an export: tags and entities taken out, what a reader sees kept.

A text is HTML where it has a tag of HTML, or an entity; `a < b`, `List<str>` and `AT&T` are none. The standard library
parses it, as leniently as a browser.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

_INLINE = (
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|ins|kbd|label|mark|meter|nobr|output|q|ruby|rp|rt|s|"
    "samp|small|span|strike|strong|sub|sup|time|tt|u|var|wbr"
)
_HIDDEN = "head|noscript|script|style|template"
_BLOCK = (
    "address|article|aside|audio|blockquote|body|br|button|caption|center|col|colgroup|dd|details|dialog|div|dl|dt|"
    "fieldset|figcaption|figure|footer|form|h[1-6]|header|hr|html|iframe|img|input|legend|li|link|main|menu|meta|nav|"
    "object|ol|optgroup|option|p|picture|pre|section|select|source|summary|svg|table|tbody|td|textarea|tfoot|th|thead|"
    "title|tr|track|ul|video"
)
_TAG = re.compile(rf"</?(?:{_INLINE}|{_BLOCK}|{_HIDDEN})(?:\s[^<>]*)?/?>|<!--|<!doctype\b", re.IGNORECASE)
_RUNNING, _UNSEEN = frozenset(_INLINE.split("|")), frozenset(_HIDDEN.split("|"))
_OF_HEAD = frozenset(("base", "link", "meta", "noscript", "object", "script", "style", "template", "title"))
_QUOTED = re.compile(r"\s*<!\[CDATA\[(.*?)\]\]>", re.DOTALL)  # of XML, whose inside is the text itself
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


class _Reader(HTMLParser):
    """Collects what is shown; elements that stand on lines of their own leave a space."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hidden[-1:] == ["head"] and tag not in _OF_HEAD:  # whose end may be left out
            self._hidden.pop()
        if tag in _UNSEEN:
            self._hidden.append(tag)
        elif tag not in _RUNNING:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            del self._hidden[self._hidden.index(tag) :]
        elif tag not in _RUNNING:
            self.parts.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in (*_RUNNING, *_UNSEEN):
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def is_html(text: str) -> bool:
    """Whether a text has a tag or an entity of HTML."""
    return ("<" in text and (_TAG.search(text) or _QUOTED.match(text)) is not None) or (
        "&" in text and any(html.unescape(entity) != entity for entity in _ENTITY.findall(text))
    )


def plain_text(text: str) -> str:
    """What a reader of a page sees: tags, comments, scripts and styles taken out, entities as characters, white space
    as single spaces. A text that is no HTML stays as it is."""
    if not is_html(text):
        return text
    text = _QUOTED.sub(r"\1", text)
    if _TAG.search(text) is None:
        return html.unescape(text)
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return " ".join("".join(reader.parts).split())
