"""Places of indexes: folders, and addresses of vector databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from triglot.files import InputError
from triglot.index.places import DATABASES, Address, Backend, address_of, create_index, is_index, open_index


def test_addresses(tmp_path: Path) -> None:
    for text, wanted in {
        "milvus://localhost:19530/help": Address("milvus", "http", "localhost:19530", "help"),
        "milvus+https://db.example.org/help": Address("milvus", "https", "db.example.org", "help"),
        "qdrant+file:some/folder/help": Address("qdrant", "file", "some/folder", "help"),
        "milvus+file:/data/a.db/help": Address("milvus", "file", "/data/a.db", "help"),
    }.items():
        assert address_of(text) == wanted
        assert str(wanted) == text
    for path in ("help", "./help", "C:\\index", "C:/index", "data:set/x", str(tmp_path)):
        assert address_of(path) is None
    for wrong, match in {
        "milvsu://localhost/help": "did you mean 'milvus'",
        "milvus://localhost:19530": "COLLECTION",
        "milvus://user:secret@localhost/help": "TRIGLOT_DATABASE_TOKEN",
        "milvus://localhost/a-b": "letters, digits",
        "milvus+file:x/": "COLLECTION",
        "qdrant+ftp://localhost/help": "COLLECTION",
    }.items():
        with pytest.raises(InputError, match=match):
            address_of(wrong)
    with pytest.raises(InputError) as error:
        address_of("milvus://user:secret@localhost/help")
    assert "secret" not in str(error.value)


def test_a_database_of_another_package_is_a_row() -> None:
    asked = []

    def connect(address: Address) -> object:
        asked.append(address)
        raise InputError("not today")

    DATABASES.add(Backend("shelf", "Shelf", "for this test", connect))  # type: ignore[arg-type]
    try:
        assert is_index("shelf://somewhere/books")
        with pytest.raises(InputError, match="not today"):
            open_index("shelf://somewhere/books")
        with pytest.raises(InputError, match="not today"):
            create_index("shelf://somewhere/books", None, None)  # type: ignore[arg-type]
    finally:
        DATABASES.remove("shelf")
    assert asked == [Address("shelf", "http", "somewhere", "books")] * 2
    assert not is_index("nothing/there")
