"""Indexes of passages: exact or approximate search on disk, with metadata."""

from typing import TYPE_CHECKING

from triglot.lazy import face

if TYPE_CHECKING:
    from triglot.index.documents import Documents
    from triglot.index.filters import Condition, parse_conditions
    from triglot.index.places import DATABASES, Backend, create_index, open_index
    from triglot.index.protocol import Found, Index
    from triglot.index.settings import IndexSettings
    from triglot.index.store import DiskIndex

__all__ = [
    "DATABASES",
    "Backend",
    "Condition",
    "DiskIndex",
    "Documents",
    "Found",
    "Index",
    "IndexSettings",
    "create_index",
    "open_index",
    "parse_conditions",
]
__getattr__ = face(
    __name__,
    {
        "documents": ("Documents",),
        "filters": ("Condition", "parse_conditions"),
        "places": ("DATABASES", "Backend", "create_index", "open_index"),
        "protocol": ("Found", "Index"),
        "settings": ("IndexSettings",),
        "store": ("DiskIndex",),
    },
)
