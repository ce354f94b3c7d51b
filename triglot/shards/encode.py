"""Passages to shards of vectors: read, cut into shards, encoded by an engine, described. What is killed goes on."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from triglot.corpus.formats import sources
from triglot.corpus.formats.registry import split_spec
from triglot.corpus.splitting import Split, splitter
from triglot.encoder.probe import packed, probe
from triglot.encoder.protocol import inner_of, similarity_of
from triglot.files import InputError, locked, sweep, sync
from triglot.progress import Bar
from triglot.sealed import read_sealed, write_sealed
from triglot.shapes import shaped
from triglot.shards import folder as folders
from triglot.shards.engines import ENGINES
from triglot.shards.folder import PLAN, VERSION, WORK, Identity, Manifest, Plan, ShardRecord, Shards
from triglot.shards.settings import ShardSettings
from triglot.shards.stage import stage, texts_file
from triglot.shards.work import Job, threads_here

log = logging.getLogger("triglot")
STDIN = "-"


def encode_shards(
    encoder: Any,
    source: str,
    out: str | os.PathLike[str],
    settings: ShardSettings | None = None,
    *,
    model: str = "",
    engine: str = "local",
    workers: int = 0,
    inputs: Sequence[str] = (),
    force: bool = False,
    progress: bool = False,
) -> Shards:
    """Encode passages into a folder of Parquet shards.

    Called again it goes on where it stopped; where all shards are there, nothing is done.

    Args:
        encoder: the model.
        source: passages, see `triglot.corpus.formats.sources.find`; `-` for stdin.
        out: the folder.
        settings: how.
        model: folder or name of the model, by which workers and an index find it; its name where none is given.
        engine: what encodes, a row of `triglot.shards.engines.ENGINES`.
        workers: of a cluster; 0 for as many as there is room for.
        inputs: paths that are read, and never written over.
        force: begin anew where shards of another model, source or other settings are.
        progress: show bars.

    Returns:
        the shards.

    Raises:
        InputError: what cannot be read; `out` holds something else, or shards of something else and no `force`.
        MissingExtra: the engine is not installed.
    """
    settings, run = settings or ShardSettings(), ENGINES[engine].run
    if workers > 1 and engine == "local":
        raise InputError("--workers: goes with a cluster (--engine ray); on this machine a model takes all processors")
    place = folders.claim(out, [*inputs, *([] if source == STDIN else [split_spec(source)[1]])])
    with locked(place):
        folders.claim(out, ())
        sweep(place)
        (place / WORK).mkdir(parents=True, exist_ok=True)
        try:
            plan, whole = _planned(encoder, source, place, settings, model or encoder.name, force, progress)
            if whole:
                shutil.rmtree(place / WORK, ignore_errors=True)
            else:
                job = Job(str(place), model or encoder.name, _computing(encoder), threads_here())
                _work(run, job, plan, encoder, workers, progress)
        finally:
            if not (place / WORK / PLAN).exists():
                shutil.rmtree(place / WORK, ignore_errors=True)
                if not any(place.iterdir()):
                    place.rmdir()
    return Shards(place, verify=False)


def _computing(encoder: Any) -> Any:
    from triglot.encoder.computing import USUAL

    return getattr(inner_of(encoder), "computing", USUAL)


def _identity(encoder: Any, source: str, settings: ShardSettings, model: str) -> Identity:
    """What decides the shards, but the files that are read."""
    inner, removal = inner_of(encoder), getattr(encoder, "removal", None)
    computing = _computing(encoder)
    chosen = asdict(settings) | {"languages": list(settings.languages), "columns": list(settings.columns)}
    return {
        "model": model,
        "similarity": similarity_of(inner),
        "dim": int(inner.dim),
        "probe": packed(probe(encoder)),
        "settings": chosen,
        "computing": {name: getattr(computing, name) for name in ("precision", "backend", "batch_size")},
        "step": removal.method if removal is not None and settings.debiased else "",
        "source": os.path.abspath(source) if os.path.exists(source) else source,
        "inputs": {},
    }


def _planned(
    encoder: Any, source: str, place: Path, settings: ShardSettings, model: str, force: bool, progress: bool
) -> tuple[Plan | Manifest, bool]:
    """The plan, made or found, and whether all of it was done before."""
    identity = _identity(encoder, source, settings, model)
    if force:
        return _new_plan(encoder, identity, source, place, settings, progress), False
    if (place / folders.VECTORS).is_file():
        manifest = folders.read_manifest(place)
        _check_same(place, manifest["identity"], identity, "holds the vectors of", source)
        log.info("%s: all %d shards are there", place, len(manifest["shards"]))
        return manifest, True
    plan = folders.read_plan(place)
    if plan is not None:
        _check_same(place, plan["identity"], identity, "was begun with", source)
        return plan, False
    return _new_plan(encoder, identity, source, place, settings, progress), False


def _check_same(place: Path, was: Identity, now: Identity, begun: str, source: str) -> None:
    """Raises InputError where a folder is that of another work."""
    if what := folders.difference(was, now):
        raise InputError(f"{place}: {begun} {what}; --force begins anew, or choose another place")
    if source == STDIN:
        (checksum,) = (one[2] for one in was["inputs"].values())
        if _checksum_of_stdin() != checksum:
            raise InputError(f"{place}: {begun} other texts than come on stdin; --force begins anew")
    elif changed := folders.unchanged(was["inputs"]):
        raise InputError(f"{place}: {changed} has changed since; --force begins anew, or choose another place")


def _checksum_of_stdin() -> str:
    with tempfile.TemporaryDirectory(prefix="triglot-") as folder:
        path = sources.spooled(sys.stdin.buffer, Path(folder))
        return folders.file_checksum(path)


def _new_plan(
    encoder: Any, identity: Identity, source: str, place: Path, settings: ShardSettings, progress: bool
) -> Plan:
    """The texts of all shards, staged, and the plan; what the folder held is there until both are on disk."""
    work = Path(tempfile.mkdtemp(prefix=f"{WORK}.", suffix=".part", dir=place))
    try:
        plan = _staged(encoder, identity, source, work, settings, progress)
        folders.replace(place, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return plan


def _staged(encoder: Any, identity: Identity, source: str, work: Path, settings: ShardSettings, progress: bool) -> Plan:
    """The texts of all shards and the plan, in a folder of their own."""
    found, shown = sources.find(str(sources.spooled(sys.stdin.buffer, work)) if source == STDIN else source), source
    if source == STDIN:
        found = replace(found, name=shown)
    files = [part.path for part in found.parts] or _files_below(Path(split_spec(source)[1]))
    inputs = folders.inputs_of(files)
    split = _splitter(encoder, settings) if found.kind == "documents" else None
    began = time.monotonic()
    try:
        made = stage(sources.read(found, columns=settings.columns, split=split), work, settings, shown, progress)
    except InputError as error:
        if source != STDIN:
            raise
        raise InputError(str(error).replace(str(files[0]), "stdin")) from None
    log.info(
        "%s: %s passages in %d shards, read in %.1f s",
        shown,
        f"{made['rows']:,}",
        made["pieces"],
        time.monotonic() - began,
    )
    if source == STDIN:
        files[0].unlink()
    plan: Plan = {
        "format": "triglot-encode",
        "version": VERSION,
        "identity": {**identity, "inputs": inputs},
        **made,  # type: ignore[typeddict-item]
    }
    write_sealed(work / PLAN, plan)
    sync(work)
    return plan


def _files_below(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path] if path.is_file() else []


def _splitter(encoder: Any, settings: ShardSettings) -> Split:
    """What splits documents into passages that the model reads whole."""
    inner, asked = inner_of(encoder), settings.split
    tokenizer = inner.tokenizer
    reads = getattr(inner, "lengths", {}).get(settings.side) or (tokenizer.truncation or {}).get("max_length", 0)
    frame = len(tokenizer.encode(inner.prefixes[settings.side]).ids)
    room = max(8, reads - frame) if reads else asked.tokens
    if room < asked.tokens:
        log.info("%s: reads %d tokens of a passage, so they have no more", inner.name, room)
    return splitter(tokenizer, replace(asked, tokens=min(room, asked.tokens), overlap=min(asked.overlap, room - 1)))


def _noted(work: Path, pieces: int) -> dict[int, ShardRecord]:
    """Number -> record of the shards that are on disk."""
    found: dict[int, ShardRecord] = {}
    for number in range(pieces):
        path = folders.note_file(work, number)
        if path.is_file():
            found[number] = shaped(read_sealed(path), ShardRecord, str(path))
            texts_file(work, number).unlink(missing_ok=True)
    return found


def _work(run: Any, job: Job, plan: Any, encoder: Any, workers: int, progress: bool) -> None:
    """Make the shards that are lacking, then say that all are there."""
    place = Path(job.place)
    done = _noted(place / WORK, plan["pieces"])
    if done:
        log.info("%s: %d of %d shards are there; going on", place, len(done), plan["pieces"])
    lacking = [number for number in range(plan["pieces"]) if number not in done]
    before, began = sum(record["rows"] for record in done.values()), time.monotonic()
    try:
        with Bar("encoding", progress, plan["rows"]) as bar:
            bar.advance(before)
            for record in _all_of(run(job, lacking, encoder, workers), lacking):
                done[int(record["name"][5:11])] = record
                bar.advance(record["rows"])
    except KeyboardInterrupt:
        log.warning("%s: %d of %d shards are there; the same command goes on", place, len(done), plan["pieces"])
        raise
    seconds = time.monotonic() - began
    languages: Counter[str] = Counter()
    for record in done.values():
        languages.update(record["languages"])
    fields = dict(plan["fields"].values())
    manifest: Manifest = {
        "format": "triglot-vectors",
        "version": VERSION,
        "identity": plan["identity"],
        "rows": plan["rows"],
        "dtype": plan["identity"]["settings"]["dtype"],
        "fields": fields,
        "languages": dict(languages.most_common()),
        "told": sum(record["told"] for record in done.values()),
        "shards": [done[number] for number in sorted(done)],
    }
    folders.write_manifest(place, manifest)
    shutil.rmtree(place / WORK, ignore_errors=True)
    new = plan["rows"] - before
    log.info("%s: %s passages encoded in %.1f s, %.0f a second", place, f"{new:,}", seconds, new / max(seconds, 1e-9))


def _all_of(records: Iterator[ShardRecord], lacking: Sequence[int]) -> Iterator[ShardRecord]:
    """Raises InputError where an engine ends without some shard."""
    seen = 0
    for record in records:
        seen += 1
        yield record
    if seen != len(lacking):
        raise InputError(f"{len(lacking) - seen} shards were not made; the same command goes on")
