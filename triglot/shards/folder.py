"""A folder of shards: `vectors.json` says what they are, with the checksum of each; before all are there, a plan in
`.encode/` says how to go on."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import TypedDict

from triglot import outputs, parquet
from triglot.corpus.formats.sources import VECTORS
from triglot.encoder.probe import is_alike, unpacked
from triglot.files import InputError, is_leftover, sync
from triglot.sealed import check_files, file_checksum, read_sealed, write_sealed
from triglot.shapes import shaped, strict
from triglot.shards.format import vectors_of

WORK, PLAN = ".encode", "plan.json"
VERSION = 1
_SHARD = re.compile(r"part-[0-9]{6}\.parquet")


@strict
class Identity(TypedDict):
    """What decides the bytes of shards. `inputs` are files that were read: size, time of change, checksum."""

    model: str
    similarity: str
    dim: int
    probe: str
    settings: dict[str, Any]
    computing: dict[str, Any]
    step: str
    source: str
    inputs: dict[str, list[Any]]


@strict
class Plan(TypedDict):
    """What is to be encoded."""

    format: str
    version: int
    identity: Identity
    rows: int
    pieces: int
    prefixed: bool
    fields: dict[str, list[str]]


@strict
class ShardRecord(TypedDict):
    """A shard that is there."""

    name: str
    rows: int
    digest: str
    languages: dict[str, int]
    told: int


@strict
class Manifest(TypedDict):
    """What a folder holds. `told` is how many languages were told by the text."""

    format: str
    version: int
    identity: Identity
    rows: int
    dtype: str
    fields: dict[str, str]
    languages: dict[str, int]
    told: int
    shards: list[ShardRecord]


def shard_name(number: int) -> str:
    """The file of a shard."""
    return f"part-{number:06d}.parquet"


def note_file(work: Path, number: int) -> Path:
    """Beside the texts, what is known of a shard once it is on disk."""
    return work / f"done-{number:06d}.json"


def inputs_of(files: Sequence[Path]) -> dict[str, list[Any]]:
    """Size, time of change and checksum of files."""
    found = {}
    for file in files:
        status = file.stat()
        found[os.path.abspath(file)] = [status.st_size, status.st_mtime_ns, file_checksum(file)]
    return found


def unchanged(inputs: Mapping[str, list[Any]]) -> str:
    """The first file that is no longer what it was; "" where all are. One that was touched alone is read again."""
    for name, (size, changed, checksum) in inputs.items():
        path = Path(name)
        if not path.is_file() or path.stat().st_size != size:
            return name
        if path.stat().st_mtime_ns != changed and file_checksum(path) != checksum:
            return name
    return ""


def difference(was: Identity, now: Identity) -> str:
    """In what two works differ, in words; "" where they are one. Files that were read are not looked at."""
    if not is_alike(unpacked(was["probe"], "plan"), unpacked(now["probe"], "model")):
        return f"the model {was['model']}, and not {now['model']}"
    for key in ("similarity", "step", "source"):
        if was[key] != now[key]:
            return f"{key} {was[key] or 'none'!r}, and not {now[key] or 'none'!r}"
    for part in ("settings", "computing"):
        for key in sorted({*was[part], *now[part]}):
            if was[part].get(key) != now[part].get(key):
                return f"{key} {was[part].get(key)!r}, and not {now[part].get(key)!r}"
    return ""


def claim(out: str | os.PathLike[str], inputs: Sequence[str | os.PathLike[str]]) -> Path:
    """Where shards go.

    Raises:
        InputError: there is something that `triglot encode` did not write, a folder that is read, or a place that is
            none.
    """
    place = outputs.resolve(out, "folder")
    if place == Path.cwd() or place in Path.cwd().parents:
        raise InputError(f"{out}: is the current folder or one above it; choose a folder of its own")
    outputs.check_inputs([place], inputs)
    if not place.is_dir():
        return place
    ours = (place / VECTORS).is_file() or (place / WORK).is_dir()
    for path in sorted(place.iterdir()):
        known = path.name in (VECTORS, WORK) or _SHARD.fullmatch(path.name) or is_leftover(path)
        if not (ours and known):
            raise InputError(
                f"{place}: holds {path.name}, which `triglot encode` did not write; nothing is replaced but what it "
                "wrote itself, choose another place"
            )
    return place


def replace(place: Path, staged: Path) -> None:
    """Put a work that was staged in the place of an older one: what says that the older one is whole, or how to go on
    with it, goes first, and the new plan comes last. `.encode` stays, by which the folder is known as one of ours."""
    work = place / WORK
    (place / VECTORS).unlink(missing_ok=True)
    (work / PLAN).unlink(missing_ok=True)
    for path in (*work.iterdir(), *(path for path in place.iterdir() if _SHARD.fullmatch(path.name))):
        path.unlink()
    for path in staged.iterdir():
        if path.name != PLAN:
            os.replace(path, work / path.name)
    sync(work)
    os.replace(staged / PLAN, work / PLAN)
    sync(work)


def read_plan(place: Path) -> Plan | None:
    """The plan of a folder whose shards are not all there; None for none, or one that was never finished."""
    path = place / WORK / PLAN
    if not path.is_file():
        return None
    plan: Plan = shaped(read_sealed(path), Plan, str(path))
    if plan["format"] != "triglot-encode" or plan["version"] != VERSION:
        raise InputError(f"{path}: of version {plan['version']}; this Triglot reads {VERSION}: --force begins anew")
    return plan


def read_manifest(place: Path) -> Manifest:
    """What a folder holds.

    Raises:
        InputError: no shards are there, not all of them, or their description is damaged.
    """
    path = place / VECTORS
    if not path.is_file():
        if (place / WORK).is_dir():
            raise InputError(f"{place}: not all of its shards are there; the same `triglot encode` again goes on")
        raise InputError(f"{place}: holds no vectors ({VECTORS} is missing); `triglot encode` makes them")
    manifest: Manifest = shaped(read_sealed(path), Manifest, str(path))
    if manifest["format"] != "triglot-vectors" or manifest["version"] != VERSION:
        raise InputError(f"{path}: of version {manifest['version']}; this Triglot reads {VERSION}: encode anew")
    for shard in manifest["shards"]:
        if not _SHARD.fullmatch(shard["name"]) or (place / shard["name"]).is_symlink():
            raise InputError(f"{path}: names {shard['name']!r:.60}, which is no shard")
    if not 0 < manifest["identity"]["dim"] <= 2**14:
        raise InputError(f"{path}: vectors of {manifest['identity']['dim']} dimensions")
    return manifest


def write_manifest(place: Path, manifest: Manifest) -> None:
    """Say that all shards are there. When this returns, all of it is on disk."""
    sync(place)
    write_sealed(place / VECTORS, manifest)
    sync(place)


def is_shards(place: str | os.PathLike[str]) -> bool:
    """Whether a folder holds shards, also where not all of them are there."""
    return (Path(place) / VECTORS).is_file() or (Path(place) / WORK).is_dir()


@dataclass(frozen=True)
class Block:
    """Passages of a shard with their vectors.

    Attributes:
        ids, texts, langs, groups: "" for a language or group that is not known.
        confidences: (rows,) of languages that were told by the text, None for those that were given.
        fields: name -> values.
        vectors: (rows, dim) float32.
    """

    ids: list[str]
    texts: list[str]
    langs: list[str]
    groups: list[str]
    confidences: list[float | None]
    fields: dict[str, list[Any]]
    vectors: np.ndarray


class Shards:
    """A folder of shards, open.

    Args:
        place: the folder.
        verify: look at the checksum of every shard, which reads each once.

    Raises:
        InputError: as `read_manifest`; a shard is missing or was changed.
    """

    def __init__(self, place: str | os.PathLike[str], *, verify: bool = True):
        self.place = Path(place)
        self.manifest = read_manifest(self.place)
        if verify:
            check_files(self.place, {shard["name"]: shard["digest"] for shard in self.manifest["shards"]})

    def __len__(self) -> int:
        return self.manifest["rows"]

    @property
    def identity(self) -> Identity:
        """What decided the vectors."""
        return self.manifest["identity"]

    @property
    def dim(self) -> int:
        """Of the vectors."""
        return self.manifest["identity"]["dim"]

    @property
    def files(self) -> list[Path]:
        """The shards, in order."""
        return [self.place / shard["name"] for shard in self.manifest["shards"]]

    def check_model(self, probe: np.ndarray, similarity: str, name: str) -> None:
        """Raises InputError where a model is not the one that has made the vectors, or they are not those that an index
        takes.

        Args:
            probe: its vectors, see `triglot.encoder.probe`.
            similarity: by which it compares.
            name: of the model, for messages.
        """
        made = self.identity
        if probe.shape[1] != made["dim"]:
            raise InputError(
                f"{name}: has vectors of {probe.shape[1]} dimensions, the shards {self.place} of {made['dim']}"
            )
        if similarity != made["similarity"]:
            raise InputError(f"{name}: compares by {similarity}, the shards by {made['similarity']}")
        if not is_alike(unpacked(made["probe"], self.place), probe):
            raise InputError(
                f"{name}: is not the model that {self.place} was encoded with ({made['model']}): its vectors differ"
            )
        if made["settings"]["side"] != "passage":
            raise InputError(f"{self.place}: was encoded as queries; an index takes passages (--side passage)")
        if made["settings"]["debiased"]:
            raise InputError(
                f"{self.place}: holds vectors after the step for each language; an index takes those before it, "
                "encode without --debiased"
            )

    def blocks(self, size: int = 16_384) -> Iterator[Block]:
        """The passages in order, at most so many at a time.

        Raises:
            InputError: a shard that is damaged, or does not fit the others.
        """
        fields = self.manifest["fields"]
        for shard in self.manifest["shards"]:
            path, rows = self.place / shard["name"], 0
            for batch in parquet.batches(path, needed=("id", "text", "lang", "group", "embedding", *fields), size=size):
                vectors = vectors_of(batch, path)
                if vectors.shape[1] != self.dim:
                    raise InputError(f"{path}: vectors of {vectors.shape[1]} dimensions, {self.dim} were expected")
                told = {name: batch.column(name).to_pylist() for name in ("id", "text", "lang", "group", *fields)}
                rows += len(vectors)
                yield Block(
                    told["id"],
                    told["text"],
                    told["lang"],
                    told["group"],
                    batch.column("lang_confidence").to_pylist(),
                    {name: told[name] for name in fields},
                    vectors,
                )
            if rows != shard["rows"]:
                raise InputError(f"{path}: has {rows} passages, {shard['rows']} were expected")
