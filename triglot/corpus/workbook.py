"""Workbooks (.xlsx, .xls, .ods) as tables: the first sheet that has rows."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from triglot.extras import named
from triglot.files import LARGEST_DOCUMENT, InputError, open_bytes

log = logging.getLogger("triglot")
SUFFIXES = (".xlsx", ".xls", ".ods")
_MOST = 8 * LARGEST_DOCUMENT  # bytes, unpacked


def rows(path: Path) -> Iterator[tuple[int, list[Any]]]:
    """(row number from 1, cells) of the first sheet that has rows, empty rows aside. Sheets that are passed over are
    named in a warning.

    Raises:
        InputError: no such file, no workbook, protected by a password, or too large.
        MissingExtra: python-calamine is not installed.
    """
    if not path.is_file():
        with open_bytes(path):  # names what is there, or that nothing is
            raise InputError(f"{path}: not a file")
    with named():
        from python_calamine import CalamineError, CalamineWorkbook
    _check_size(path)
    try:
        book = CalamineWorkbook.from_path(path)
        sheets = [book.get_sheet_by_name(name) for name in book.sheet_names]
        full = [sheet for sheet in sheets if sheet.height]
        found = [list(row) for row in full[0].iter_rows()] if full else []
    except (CalamineError, OSError, ValueError) as error:
        raise InputError(f"{path}: not a workbook that can be read ({str(error) or type(error).__name__})") from None
    if len(full) > 1:
        others = ", ".join(repr(sheet.name) for sheet in full[1:])
        log.warning("%s: the sheet %r is read; not read: %s", path, full[0].name, others)
    return ((number, row) for number, row in enumerate(found, 1) if any(cell not in ("", None) for cell in row))


def _check_size(path: Path) -> None:
    """A small archive can hold more than memory does."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InputError(f"{path}: not a workbook that can be read ({error})") from None
    if size > _MOST:
        raise InputError(f"{path}: more than {_MOST >> 20} MiB unpacked, too large; save the sheet as `CSV UTF-8`")
