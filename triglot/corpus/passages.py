"""Passages to search in, and texts to encode: JSONL, TSV or plain lines."""

from __future__ import annotations

from pathlib import Path

from triglot.files import InputError, read_jsonl, read_lines

_ID_KEYS = ("_id", "id", "docid", "pid")
_TEXT_KEYS = ("text", "contents", "passage", "body", "sentence", "query", "question")


def read_passages(path: str | Path) -> tuple[list[str], list[str]]:
    """Ids and texts of a file.

    `.jsonl`: objects with an id (`_id`, `id`, `docid`, `pid`; else the line number) and a `text` (or `contents`, `passage`, ...); a `title`
    is put before the text. `.tsv`: id, tab, text, where every line has a tab. Anything else: one text a line. `.gz` may follow. Blank
    lines are passed over.

    Raises:
        InputError: names file and line: no text, an id that occurred before, or nothing to read at all.
    """
    path = Path(path)
    suffix = Path(path.name.removesuffix(".gz")).suffix
    rows: list[tuple[int, str, str]] = []
    if suffix in (".jsonl", ".ndjson"):
        rows = [(number, *_object(value, f"{path}:{number}", number)) for number, value in read_jsonl(path)]
    else:
        for number, line in read_lines(path):
            if not line.strip():
                continue
            identifier, tab, text = line.partition("\t")
            if suffix == ".tsv" and not tab:
                raise InputError(f"{path}:{number}: no tab; a line is `id<TAB>text`")
            rows.append((number, identifier, text) if suffix == ".tsv" else (number, str(number), line))
    if not rows:
        raise InputError(f"{path}: no text in it")
    seen: dict[str, int] = {}
    for number, identifier, text in rows:
        if not text.strip():
            raise InputError(f"{path}:{number}: an empty text")
        if seen.setdefault(identifier, number) != number:
            raise InputError(f"{path}:{number}: the id {identifier!r} occurred before, in line {seen[identifier]}")
    return [identifier for _, identifier, _ in rows], [text for _, _, text in rows]


def _object(value: object, where: str, number: int) -> tuple[str, str]:
    if isinstance(value, str):
        return str(number), value
    if not isinstance(value, dict):
        raise InputError(f"{where}: an object or a string was expected")
    key = next((key for key in _TEXT_KEYS if key in value), None)
    if key is None:
        raise InputError(f"{where}: no text: the object has {', '.join(value) or 'nothing'}; looked for {', '.join(_TEXT_KEYS)}")
    if not isinstance(value[key], str):
        raise InputError(f"{where}: {key} is not a string")
    identifier = next((value[name] for name in _ID_KEYS if name in value), number)
    title = value.get("title")
    return str(identifier), f"{title}. {value[key]}" if isinstance(title, str) and title.strip() else value[key]
