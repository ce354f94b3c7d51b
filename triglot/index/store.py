"""An index in a folder: segments that are written once, and a manifest that is replaced.

Every verb that writes ends with one new manifest. A reader keeps the state that it opened, whatever is written
meanwhile. One process writes at a time.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from triglot.encoder.languages import FILE as REMOVAL
from triglot.encoder.languages import Removal, read_removal, write_removal
from triglot.encoder.probe import is_alike
from triglot.files import InputError, atomic_folder, blamed, locked, sync
from triglot.files import sweep as sweep_beside
from triglot.index import manifest as manifests
from triglot.index import segment as segments
from triglot.index.documents import Documents, joined
from triglot.index.known import Known
from triglot.index.manifest import Manifest
from triglot.index.protocol import FAIR, RAW
from triglot.index.reads import Reads
from triglot.index.settings import IndexSettings
from triglot.index.snapshot import Snapshot
from triglot.memory import in_words
from triglot.sealed import file_checksum
from triglot.shapes import shaped

log = logging.getLogger("triglot")
PROBE = "probe.npy"
_TIER = 8  # segments of about one size that are merged
_LARGEST = 1 << 21  # passages of a segment that is merged of others, which bounds the memory that a merge needs


def create(
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
) -> DiskIndex:
    """Make an index; an older one of the same model is replaced as a whole.

    Args:
        place: the folder.
        documents: the passages.
        vectors: (documents, dim), as the model gives them.
        settings: how it is built.
        model: where the model is found again.
        similarity: by which the model compares.
        probe: (texts, dim) vectors of a few texts by which the model is known again.
        removal: what takes the language out of vectors; None where there is nothing.
        inputs: paths that are read, and never written over.
        force: replace the index of another model.
        further: portions of passages and vectors with other ids, each of which becomes a segment of its own; one of
            them is in memory at a time.

    Raises:
        InputError: there are no passages, they do not fit the vectors, or the place is taken.
    """
    settings = settings or IndexSettings()
    vectors = checked(vectors, len(documents), None if removal is None else removal.offsets.shape[1])
    fields = joined({}, documents)
    target = manifests.claim(place, model, inputs, force=force)
    removal = at_strength(removal, settings.strength)
    with locked(target):
        sweep_beside(target, inside=False)
        manifests.claim(place, model, inputs, force=force)
        with atomic_folder(target) as folder:
            records = [segments.write(folder, "s000001", documents, vectors, settings, fields, removal, 1)]
            dim = int(vectors.shape[1])
            for number, (those, of_those) in enumerate(further, 2):
                of_those, fields = checked(of_those, len(those), dim), joined(fields, those)
                name = f"s{number:06d}"
                records.append(segments.write(folder, name, those, of_those, settings, fields, removal, number))
            files = {}
            if removal is not None:
                write_removal(removal, folder)
                (folder / REMOVAL).chmod(0o644)
                files[REMOVAL] = file_checksum(folder / REMOVAL)
            if probe is not None:
                np.save(folder / PROBE, np.ascontiguousarray(probe, np.float32))
                files[PROBE] = file_checksum(folder / PROBE)
            about: Manifest = {
                "format": "triglot-index",
                "version": manifests.VERSION,
                "generation": 1,
                "model": model,
                "similarity": similarity,
                "dim": dim,
                "next": len(records) + 1,
                "settings": asdict(settings),
                "fields": fields,
                "segments": records,
                "files": files,
            }
            manifests.write(folder, about)
    return DiskIndex(target)


def at_strength(removal: Removal | None, strength: float) -> Removal | None:
    """A removal at a share of its own strengths; None where nothing is taken away."""
    if removal is None or not strength:
        return None
    own = removal.strengths
    return removal.at(strength * (np.ones((2, len(removal.languages)), np.float32) if own is None else own))


def checked(vectors: np.ndarray, rows: int, dim: int | None) -> np.ndarray:
    """Vectors as an index takes them.

    Raises InputError for another shape, none at all, or numbers that are not finite.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    if vectors.ndim != 2 or len(vectors) != rows or (dim is not None and vectors.shape[1] != dim):
        raise InputError(f"vectors of shape {vectors.shape}; {rows} x {dim or 'dimensions'} were expected")
    if not rows:
        raise InputError("no passages to index")
    if not np.isfinite(vectors).all():
        raise InputError("a vector holds NaN or infinity")
    return vectors


def _array(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


class DiskIndex(Reads):
    """An index in a folder, see `triglot.index.protocol.Index`.

    Threads may search while one of them writes; a second process that writes is refused.
    """

    def __init__(self, place: str | os.PathLike[str], *, verify: bool = True):
        """
        Args:
            place: the folder.
            verify: look at the checksum of every file, which reads each once; the manifest's own is always looked at.

        Raises:
            InputError: it holds no index, or a file of it is missing, damaged, or does not fit the others.
        """
        self.place = Path(place)
        self._verify = verify
        self._writing = threading.Lock()
        for attempt in range(3):
            manifest = manifests.read(self.place)
            try:
                self._open(manifest)
                return
            except InputError:
                # a writer may have removed files between the manifest's reading and theirs
                if attempt == 2 or manifests.read(self.place) == manifest:
                    raise

    def _open(self, manifest: Manifest, older: Manifest | None = None) -> None:
        """Open what a manifest names; what is open since an older one is kept where it is the same in both, checksums
        and all: an index that was built anew has other segments under the same names."""
        known: dict[str, segments.Segment] = {}
        if older is not None and older["files"].get(REMOVAL) == manifest["files"].get(REMOVAL):
            known = {one.record["name"]: one for one in self._snapshot.segments if one.record in manifest["segments"]}
        if self._verify:
            seen = {name for segment in known.values() for name in segment.record["files"]}
            manifests.verify(self.place, manifest, seen)
        size = manifests.size(self.place, manifest)
        removal = read_removal(self.place) if REMOVAL in manifest["files"] else None
        if removal is not None and removal.offsets.shape[1] != manifest["dim"]:
            raise InputError(f"{self.place / REMOVAL}: does not have the dimensions of the index")
        opened = []
        for record in manifest["segments"]:
            there = known.get(record["name"])
            if there is None or set(there.fields) != set(manifest["fields"]):
                there = segments.open_segment(self.place, record, manifest["fields"], manifest["dim"], removal)
            opened.append(there)
        known_by = self._known_by(manifest)
        self._snapshot = Snapshot(opened, self._deleted(manifest, opened), manifest["fields"], removal)
        self._manifest, self._known, self._size = manifest, known_by, size

    def _known_by(self, manifest: Manifest) -> Known:
        """By what the model of a state is known."""
        probe = _array(self.place / PROBE) if PROBE in manifest["files"] else None
        return Known(str(self.place), manifest["model"], manifest["similarity"], manifest["dim"], probe)

    def _deleted(self, manifest: Manifest, opened: Sequence[segments.Segment]) -> list[np.ndarray | None]:
        """(rows,) bool of each segment, what can be found; None where nothing was deleted."""
        names = [name for name in manifest["files"] if name.startswith("deleted.")]
        if not names:
            return [None] * len(opened)
        path = self.place / names[0]
        pairs = _array(path)
        if pairs.dtype != np.int64 or pairs.ndim != 2 or pairs.shape[1] != 2:
            raise InputError(f"{path}: does not fit this index")
        found: list[np.ndarray | None] = []
        for segment in opened:
            rows = pairs[pairs[:, 0] == int(segment.record["name"][1:]), 1]
            if len(rows) and (rows.min() < 0 or rows.max() >= segment.rows):
                raise InputError(f"{path}: names passages that are not there")
            alive = np.ones(segment.rows, bool)
            alive[rows] = False
            found.append(alive if len(rows) else None)
        return found

    # --- what it is

    @property
    def snapshot(self) -> Snapshot:
        """The state that searches see."""
        return self._snapshot

    @property
    def spoken(self) -> Mapping[str, Sequence[int]]:
        """Language -> passages, words, passages whose script BM25 does not read; empty where no words are kept."""
        return self._snapshot.spoken

    @property
    def fields(self) -> Mapping[str, str]:
        """Name -> type of the metadata."""
        return self._manifest["fields"]

    @property
    def views(self) -> tuple[str, ...]:
        """`raw`, and `fair` where the language is taken out."""
        return (RAW, FAIR) if self._snapshot.removal is not None else (RAW,)

    @property
    def model(self) -> str:
        """Where the model is found."""
        return self._manifest["model"]

    @property
    def similarity(self) -> str:
        """By which the model compares."""
        return self._manifest["similarity"]

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self._manifest["dim"]

    @property
    def settings(self) -> IndexSettings:
        """How it is built. Raises InputError where the manifest says what no settings are."""
        try:
            return shaped(self._manifest["settings"], IndexSettings, str(self.place / manifests.FILE))
        except TypeError as error:
            raise InputError(f"{self.place / manifests.FILE}: {error}") from None

    def __len__(self) -> int:
        return self._snapshot.alive

    def check_model(self, probe: np.ndarray, similarity: str, name: str) -> None:
        """Raises InputError where a model is not the one that the index was made with, see
        `triglot.index.protocol.Index`."""
        self._known.check(probe, similarity, name)

    def stats(self) -> dict[str, Any]:
        """Counts, languages, kind, recall and sizes, as JSON can hold them."""
        manifest, snapshot = self._manifest, self._snapshot
        recalls = [told["recall"] for record in manifest["segments"] for told in record["widths"].values()]
        strengths = None if snapshot.removal is None else snapshot.removal.strengths
        return {
            "backend": "disk",
            "passages": snapshot.alive,
            "deleted": sum(segment.rows for segment in snapshot.segments) - snapshot.alive,
            "languages": dict(snapshot.counts),
            "dim": self.dim,
            "model": self.model,
            "fields": dict(self.fields),
            "views": list(self.views),
            "debiased": None if snapshot.removal is None else snapshot.removal.method,
            "strength": None if strengths is None else float(strengths[1].mean()),
            "segments": [{"kind": one["kind"], "passages": one["rows"]} for one in manifest["segments"]],
            "recall": min(recalls, default=1.0),
            "words": all(segment.held is not None for segment in snapshot.segments),
            "bytes": self._size,
            "size": in_words(self._size),
            "generation": manifest["generation"],
        }

    # --- what is read

    def refresh(self) -> bool:
        """See what another process has written since. Returns whether there was anything.

        Raises:
            InputError: what is there cannot be read, or is of another model; what was seen before is seen on.
        """
        with self._writing:
            return self._refresh()

    def _refresh(self) -> bool:
        manifest = manifests.read(self.place)
        if manifest == self._manifest:
            return False
        was, now = self._known, self._known_by(manifest)
        alike = was.probe is now.probe if was.probe is None or now.probe is None else is_alike(was.probe, now.probe)
        if replace(was, probe=None) != replace(now, probe=None) or not alike:
            raise InputError(f"{self.place}: the index was built anew for another model; open it again")
        self._open(manifest, self._manifest)
        return True

    # --- what is written

    def add(self, documents: Documents, vectors: np.ndarray) -> tuple[int, int]:
        """Add passages, and put those whose id is there already in the place of the older ones.

        Args:
            documents: the passages.
            vectors: (documents, dim), as the model gives them.

        Returns:
            how many are new, and how many were replaced. They are on disk then.

        Raises:
            InputError: they do not fit the index, or another process is writing it.
        """
        with self._written():
            vectors = checked(vectors, len(documents), self.dim)
            replaced = self._gone(documents.ids)
            fields = joined(self.fields, documents)
            self._commit([(documents, vectors)], replaced, fields=fields)
            self._merge_tiers()
        count = sum(map(len, replaced.values()))
        return len(documents) - count, count

    def delete(self, ids: Sequence[str]) -> int:
        """Delete passages. Returns how many of the ids were there; they are gone from the disk's index then.

        Raises:
            InputError: another process is writing the index.
        """
        with self._written():
            gone = self._gone(ids)
            count = sum(map(len, gone.values()))
            if count:
                self._commit([], gone)
        return count

    def compact(self) -> None:
        """Make one segment of all, without what was deleted."""
        with self._written():
            self._merge([segment.record["name"] for segment in self._snapshot.segments])

    def regroup(self, groups: Mapping[str, str]) -> int:
        """Set the groups of passages: id -> group. Returns how many ids were there."""
        with self._written():
            snapshot = self._snapshot
            places = snapshot.places_of("id", list(groups))
            if not len(places):
                return 0
            documents = snapshot.documents(places)
            changed = replace(documents, groups=[groups[one] for one in documents.ids])
            self._commit([(changed, snapshot.vectors(places))], self._gone(documents.ids))
            self._merge_tiers()
        return len(places)

    @contextmanager
    def _written(self) -> Iterator[None]:
        """One writer at a time, who has seen what the others wrote; leftovers of killed ones are gone."""
        with self._writing, locked(self.place), blamed(self.place):
            self._refresh()
            manifests.sweep(self.place, self._manifest)
            yield

    def _gone(self, ids: Sequence[str]) -> dict[int, np.ndarray]:
        """Number of a segment -> rows of these ids that can still be found there."""
        snapshot = self._snapshot
        return {
            int(snapshot.segments[number].record["name"][1:]): rows
            for number, rows, _ in snapshot.split(snapshot.places_of("id", ids))
        }

    def _commit(
        self,
        added: Sequence[tuple[Documents, np.ndarray]],
        gone: Mapping[int, np.ndarray],
        *,
        fields: dict[str, str] | None = None,
        dropped: Sequence[str] = (),
    ) -> None:
        """Write segments, then the manifest that names them."""
        manifest = self._manifest
        fields = dict(manifest["fields"]) if fields is None else fields
        number, records = manifest["next"], [one for one in manifest["segments"] if one["name"] not in dropped]
        for documents, vectors in added:
            name = f"s{number:06d}"
            made = segments.write(
                self.place, name, documents, vectors, self.settings, fields, self._snapshot.removal, number
            )
            records.append(made)
            number += 1
        kept = {int(one["name"][1:]) for one in records}
        pairs = [
            (int(segment.record["name"][1:]), row)
            for segment, alive in zip(self._snapshot.segments, self._snapshot.alive_of, strict=True)
            if alive is not None
            for row in np.flatnonzero(~alive).tolist()
        ]
        pairs += [(segment, row) for segment, rows in gone.items() for row in rows.tolist()]
        pairs = sorted({pair for pair in pairs if pair[0] in kept})
        whole = {int(one["name"][1:]): one["rows"] for one in records}
        counted = np.array(pairs, np.int64).reshape(-1, 2)
        for segment, rows in whole.items():
            if (counted[:, 0] == segment).sum() == rows:
                counted = counted[counted[:, 0] != segment]
                records = [one for one in records if int(one["name"][1:]) != segment]
        files = {name: value for name, value in manifest["files"].items() if not name.startswith("deleted.")}
        if len(counted):
            path = self.place / f"deleted.{number:06d}.npy"
            np.save(path, counted)
            sync(path)
            files[path.name] = file_checksum(path)
            number += 1
        changed: Manifest = {
            **manifest,
            "generation": manifest["generation"] + 1,
            "next": number,
            "fields": fields,
            "segments": records,
            "files": files,
        }
        manifests.write(self.place, changed)
        self._open(changed, manifest)
        manifests.sweep(self.place, changed)

    def _merge(self, names: Sequence[str]) -> None:
        """One segment in the place of several."""
        snapshot = self._snapshot
        places = snapshot.places_in(names)
        added = [(snapshot.documents(places), snapshot.vectors(places))] if len(places) else []
        self._commit(added, {}, dropped=names)

    def _merge_tiers(self) -> None:
        """Merge segments of about one size where there are many: each passage is written again a few times in all."""
        tiers: dict[int, list[segments.SegmentRecord]] = {}
        for record in self._manifest["segments"]:
            tiers.setdefault(len(np.base_repr(record["rows"], _TIER)), []).append(record)
        for tier in tiers.values():
            if len(tier) >= _TIER and sum(record["rows"] for record in tier) <= _LARGEST:
                self._merge([record["name"] for record in tier])
                return
