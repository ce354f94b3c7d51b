"""Text from outside (names, notes, licences, commands) inside Markdown, LaTeX and CSV: one function a language.

Jinja escapes HTML.
"""

from __future__ import annotations

import re

_MARKDOWN = re.compile(r"[\\|*_`\[\]!#~$]")
_TEX = {
    "\\": r"\textbackslash{}",
    "_": r"\_",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "~": r"\textasciitilde{}",
    "^": r"\^{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",  # after the `\\` of the row before, [ and * would be read as its arguments
    "*": "{*}",
}
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?|-?inf")


def one_line(text: str) -> str:
    """Text without line breaks and control characters; each run of white space is one space."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def markdown(text: str) -> str:
    """As itself in a paragraph, a list, a heading or a cell of a table: no markup, no link, no HTML."""
    text = re.sub(r"&(?=#?\w+;)", "&amp;", one_line(text))
    return _MARKDOWN.sub(r"\\\g<0>", text).replace("<", "&lt;").replace(">", "&gt;")


def markdown_code(text: str, *, cell: bool = False) -> str:
    """As an inline span of code, also where the text has backticks; with `cell` inside a table."""
    text = one_line(text)
    if not text:
        return ""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", "\\|" if cell else "|")


def latex(text: str) -> str:
    """As itself in running text or a cell of a `tabular`."""
    return "".join(_TEX.get(c, c) for c in one_line(text))


def latex_comment(text: str) -> str:
    """As a comment of one line."""
    return f"% {one_line(text)}"


def csv_cell(value: object) -> object:
    """As text that no spreadsheet takes for a formula: an apostrophe before = + - @, tabs and line breaks; numbers
    stay."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value
