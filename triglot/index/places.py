"""Where an index is: a folder, or a collection of a vector database; a row for each database.

A place is a path, or an address:

    milvus://HOST:PORT/COLLECTION           a server, or a cluster
    milvus+https://HOST/COLLECTION          the same over TLS
    milvus+file:FILE.db/COLLECTION          the embedded one, for one process

A token or key of the database is read from the variable `TRIGLOT_DATABASE_TOKEN`, never from an address, which is
written into logs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triglot.files import InputError, nearest
from triglot.index import settings as of_folders
from triglot.registry import Registry, later

if TYPE_CHECKING:
    import numpy as np

    from triglot.encoder.languages import Removal
    from triglot.index.database import Database
    from triglot.index.documents import Documents
    from triglot.index.protocol import Index
    from triglot.index.settings import IndexSettings

TOKEN = "TRIGLOT_DATABASE_TOKEN"
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9]+)(?:\+(https|file))?:(//)?([^?#]*)/([^/?#]+)")
_LIKE = re.compile(r"[A-Za-z][A-Za-z0-9]+(\+[A-Za-z]+)?:(//|.*/)")
_COLLECTION = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True)
class Address:
    """A collection of a vector database.

    Attributes:
        backend: name of its row in `DATABASES`.
        how: `http`, `https`, or `file`.
        where: host and port, or the path of the file or folder.
        collection: its name.
    """

    backend: str
    how: str
    where: str
    collection: str

    def __str__(self) -> str:
        how = "" if self.how == "http" else f"+{self.how}"
        return f"{self.backend}{how}:{'' if self.how == 'file' else '//'}{self.where}/{self.collection}"

    @property
    def url(self) -> str:
        """Of the server."""
        return f"{self.how}://{self.where}"


@dataclass(frozen=True)
class Backend:
    """A vector database.

    Attributes:
        name: with which its addresses begin.
        title, help: for people.
        connect: called as `connect(address)`; gives a `triglot.index.database.Database`.
    """

    name: str
    title: str
    help: str
    connect: Callable[[Address], Database]


DATABASES = Registry(
    Backend,
    group="databases",
    what="vector database",
    rows=(
        Backend(
            "milvus",
            "Milvus",
            "a server or cluster, or the embedded milvus-lite as a file, by pymilvus",
            later("triglot.index.milvus:Milvus"),
        ),
        Backend(
            "qdrant",
            "Qdrant",
            "a server or cluster, or the client's own local mode as a folder, by qdrant-client",
            later("triglot.index.qdrant:Qdrant"),
        ),
    ),
)


def address_of(place: str | os.PathLike[str]) -> Address | None:
    """The address that a place is, None for a path.

    Raises:
        InputError: it looks like an address and is none, or of a database that is not known.
    """
    text = os.fspath(place)
    if not _LIKE.match(text) or os.path.exists(text):
        return None
    match = _ADDRESS.fullmatch(text)
    scheme = re.split(r"[+:]", text)[0].lower()
    if scheme not in DATABASES:
        if "://" not in text:
            return None
        raise InputError(f"{text[:80]!r}: {scheme!r} is no known vector database{nearest(scheme, DATABASES.names())}")
    if match is None or not match[4] or bool(match[3]) != (match[2] != "file") or not _COLLECTION.fullmatch(match[5]):
        raise InputError(
            f"{text[:80]!r}: {scheme}://HOST:PORT/COLLECTION, {scheme}+https://HOST/COLLECTION or "
            f"{scheme}+file:PATH/COLLECTION was expected, a COLLECTION of letters, digits and _"
        )
    if "@" in match[4] and match[2] != "file":
        raise InputError(f"{scheme}: an address holds no user and no token; give the token by the variable {TOKEN}")
    return Address(scheme, match[2] or "http", match[4], match[5])


def is_index(place: str | os.PathLike[str]) -> bool:
    """Whether a place is a folder that holds an index, or an address of a vector database."""
    return address_of(place) is not None or of_folders.is_index(place)


def open_index(place: str | os.PathLike[str], *, verify: bool = True) -> Index:
    """Open the index in a folder or a vector database.

    Args:
        place: see the module.
        verify: look at the checksum of every file of a folder.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    address = address_of(place)
    if address is None:
        from triglot.index.store import DiskIndex

        return DiskIndex(place, verify=verify)
    from triglot.index.remote import DatabaseIndex

    return DatabaseIndex(DATABASES[address.backend].connect(address), str(address))


def create_index(
    place: str | os.PathLike[str],
    documents: Documents,
    vectors: np.ndarray,
    settings: IndexSettings | None = None,
    *,
    model: str = "",
    similarity: str = "cosine",
    probe: np.ndarray | None = None,
    removal: Removal | None = None,
    inputs: Sequence[str | os.PathLike[str]] = (),
    force: bool = False,
    further: Iterable[tuple[Documents, np.ndarray]] = (),
) -> Index:
    """Make an index in a folder or a vector database; all but `place` is as in `triglot.index.store.create`."""
    more: dict[str, Any] = {
        "model": model,
        "similarity": similarity,
        "probe": probe,
        "removal": removal,
        "force": force,
    }
    address = address_of(place)
    if address is None:
        from triglot.index.store import create

        return create(place, documents, vectors, settings, inputs=inputs, further=further, **more)
    from triglot.index.remote import create as create_in

    index = create_in(DATABASES[address.backend].connect(address), str(address), documents, vectors, settings, **more)
    for those, of_those in further:
        index.add(those, of_those)
    return index
