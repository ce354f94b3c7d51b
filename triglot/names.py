"""Names that become parts of file names: benchmarks, arms, models, languages.

One rule for all, asked where a name is read.
"""

from __future__ import annotations

from triglot.files import InputError

_LONGEST = 120  # bytes; with what is added to it a file name stays below the 255 that file systems allow


def check_name(kind: str, name: object, where: str = "") -> str:
    """The name itself, where it can be a part of a file name.

    Args:
        kind: what it names, for the message: `benchmark`, `arm`, `model`, `language`.
        name: as it was read.
        where: file and line, or key, that the message begins with.

    Raises:
        InputError: it is no text, empty, `.` or `..`, too long, begins with `.` or `-`, or holds a slash, backslash,
            colon or a character that cannot be printed.
    """
    start = f"{where}: " if where else ""
    if not isinstance(name, str):
        raise InputError(f"{start}{name!r:.80} cannot be the name of a {kind}: it is not text")
    if not name.strip():
        raise InputError(f"{start}{name!r:.80} cannot be the name of a {kind}: it is empty")
    if name[0] in ".-" or any(c in "/\\:" or not c.isprintable() for c in name):
        raise InputError(
            f"{start}{name!r:.80} cannot be the name of a {kind}: it becomes part of a file name, so it may not "
            "begin with . or - and may "
            f"hold no slash, backslash, colon, line break or control character"
        )
    if len(name.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise InputError(f"{start}{name[:20]!r}... cannot be the name of a {kind}: it is longer than {_LONGEST} bytes")
    return name
