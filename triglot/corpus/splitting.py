"""Documents split into passages: at headings, paragraphs, sentences and words as Unicode has them, the largest pieces
that a model still reads.

By `semantic-text-splitter` (MIT): its sentences and words are those of Unicode's UAX #29 and ICU's dictionaries, so
Thai and Chinese are split as well as English; lengths are counted by the model's own tokenizer, in Rust. Splitters that
count characters, or look for spaces and full stops, fail both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from triglot.corpus.markup import plain_text
from triglot.extras import named
from triglot.files import InputError, read_whole
from triglot.ranges import Range, check_ranges

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MARKDOWN, HTML = (".md", ".markdown"), (".html", ".htm")
SUFFIXES = (".txt", ".text", ".rst", *MARKDOWN, *HTML)
ChunkTokens = Annotated[int, Range(8, 2**16)]
ChunkOverlap = Annotated[int, Range(0, 2**16)]
Split = Callable[[str, str], list[tuple[int, str]]]
"""(text, suffix of its file) -> (place in code points, passage)."""


@dataclass(frozen=True)
class SplitSettings:
    """How documents are split.

    Attributes:
        tokens: of a passage, at most, by the model's tokenizer.
        overlap: tokens at most that a passage repeats of the one before.
    """

    tokens: ChunkTokens = 256
    overlap: ChunkOverlap = 0

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.overlap >= self.tokens:
            raise InputError(f"overlap: {self.overlap} tokens of passages of {self.tokens}; fewer are wanted")


def splitter(tokenizer: Tokenizer, settings: SplitSettings) -> Split:
    """What splits texts so that each passage has no more tokens than the settings say.

    Raises:
        MissingExtra: the extra `split` is not installed.
    """
    with named():
        import semantic_text_splitter as rust

    plain = type(tokenizer).from_str(tokenizer.to_str())
    plain.no_truncation()
    plain.no_padding()
    how: dict[str, Any] = {"capacity": settings.tokens, "overlap": settings.overlap}
    made = {kind: kind.from_huggingface_tokenizer(plain, **how) for kind in (rust.TextSplitter, rust.MarkdownSplitter)}

    def split(text: str, suffix: str) -> list[tuple[int, str]]:
        kind = rust.MarkdownSplitter if suffix in MARKDOWN else rust.TextSplitter
        return [(place, passage) for place, passage in made[kind].chunk_indices(text) if passage.strip()]

    return split


def read_document(path: Path) -> str:
    """The text of a file; of a page what a reader sees. Raises InputError for what is no text in UTF-8."""
    text = read_whole(path)
    if "\0" in text:
        raise InputError(f"{path}: a NUL byte; this is no text in UTF-8")
    return plain_text(text) if path.suffix.lower() in HTML else text


def language_in_name(path: Path) -> str:
    """The language that a file's name says before its suffix: `guide.de.md`, `README.pt-BR.md`; "" for none."""
    from triglot.language_tags import tag

    found = re.fullmatch(r".+\.([a-z]{2,3}(?:[-_][A-Za-z]{2,4})?)", path.stem)
    return (tag(found[1]) or "") if found else ""
