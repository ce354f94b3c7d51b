"""What a process sees of an index that another one has written, or built anew, since it was opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.index.test_store import made
from triglot.files import InputError
from triglot.index import manifest
from triglot.index.documents import Documents
from triglot.index.store import DiskIndex, create


def named(prefix: str, count: int = 5, dim: int = 16) -> tuple[Documents, np.ndarray]:
    """Passages whose ids begin with a word, and vectors that are its own."""
    documents, vectors = made(count, seed=len(prefix), dim=dim)
    return Documents([f"{prefix}{n}" for n in range(count)], documents.texts, documents.langs), vectors


def ids_of(index: DiskIndex) -> list[str]:
    return list(index.snapshot.documents(index.snapshot.places_in()).ids)


def test_an_index_that_was_built_anew_is_seen_as_it_is(tmp_path: Path) -> None:
    """Its segments have the names that those of the older one had."""
    create(tmp_path / "i", *named("older"))
    index = DiskIndex(tmp_path / "i")
    create(tmp_path / "i", *named("new"))
    DiskIndex(tmp_path / "i").add(*named("later", 1))
    assert index.add(*named("here", 1)) == (1, 0)
    wanted = [*(f"new{n}" for n in range(5)), "later0", "here0"]
    assert ids_of(index) == ids_of(DiskIndex(tmp_path / "i")) == wanted
    assert index.delete(["older1"]) == 0
    index.compact()
    assert ids_of(DiskIndex(tmp_path / "i")) == wanted
    assert (DiskIndex(tmp_path / "i").get([f"new{n}" for n in range(5)])[1] == named("new")[1]).all()


def test_what_is_open_and_the_same_is_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create(tmp_path / "i", *named("first", 20))
    index, other = DiskIndex(tmp_path / "i"), DiskIndex(tmp_path / "i")
    (segment,) = index.snapshot.segments
    looked: list[str] = []
    plain = manifest.check_files
    monkeypatch.setattr(manifest, "check_files", lambda place, sums: looked.extend(sums) or plain(place, sums))
    other.add(*named("second", 1))
    assert index.refresh()
    assert index.snapshot.segments[0] is segment
    assert looked
    assert not any(name.startswith("s000001.") for name in looked)


@pytest.mark.parametrize(
    "change", [{"model": "other"}, {"similarity": "dot"}, {"dim": 8}, {"probe": np.eye(3, 16)[::-1]}, {"probe": None}]
)
def test_an_index_that_was_built_anew_for_another_model_is_left_alone(tmp_path: Path, change: dict[str, Any]) -> None:
    about: dict[str, Any] = {"model": "one", "similarity": "cosine", "probe": np.eye(3, 16)}
    create(tmp_path / "i", *named("older"), **about)
    index = DiskIndex(tmp_path / "i")
    about = {name: change.get(name, told) for name, told in about.items()}
    create(tmp_path / "i", *named("new", dim=change.get("dim", 16)), **about, force=True)
    before = {path.name: path.read_bytes() for path in index.place.iterdir()}
    for verb in (
        lambda: index.add(*named("here", 1)),
        lambda: index.delete(["new1"]),
        lambda: index.regroup({"new1": "g"}),
        index.compact,
        index.refresh,
    ):
        with pytest.raises(InputError, match=r"i: the index was built anew for another model; open it again"):
            verb()
    assert {path.name: path.read_bytes() for path in index.place.iterdir()} == before
    assert ids_of(index) == [f"older{n}" for n in range(5)]
    assert index.search(named("older")[1][:1], 1, langs=["de"]).scores[0, 0] == pytest.approx(1, abs=1e-5)
    assert ids_of(DiskIndex(tmp_path / "i")) == [f"new{n}" for n in range(5)]


def test_the_same_model_with_other_last_digits_is_the_same(tmp_path: Path) -> None:
    probe = np.eye(3, 16, dtype=np.float32)
    create(tmp_path / "i", *named("older"), model="one", probe=probe)
    index = DiskIndex(tmp_path / "i")
    create(tmp_path / "i", *named("new"), model="one", probe=probe + 1e-6)
    assert index.refresh()
    assert ids_of(index) == [f"new{n}" for n in range(5)]


def test_an_index_knows_its_size_when_its_files_are_gone(tmp_path: Path) -> None:
    index = create(tmp_path / "i", *made(50))
    other, size = DiskIndex(tmp_path / "i"), sum(path.stat().st_size for path in (tmp_path / "i").glob("s0*"))
    assert other.stats()["bytes"] == size
    index.delete(["p1"])
    index.compact()
    assert other.stats()["bytes"] == size
    assert index.stats()["bytes"] < size
    next((tmp_path / "i").glob("*.raw.npy")).unlink()
    with pytest.raises(InputError, match=r"raw\.npy: cannot be read"):
        DiskIndex(tmp_path / "i", verify=False)
