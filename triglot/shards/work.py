"""One shard: its texts read, languages told, encoded, written. Whoever does it, on whichever machine, writes the same
bytes, as far as the processor and the libraries are the same."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triglot.ahead import ahead
from triglot.encoder import load_encoder
from triglot.encoder.computing import Computing
from triglot.encoder.languages import detect_with_confidence
from triglot.encoder.once import encode_once
from triglot.encoder.probe import is_alike, probe, unpacked
from triglot.encoder.protocol import inner_of
from triglot.files import InputError
from triglot.sealed import file_checksum, write_sealed
from triglot.shards import format as formats
from triglot.shards.folder import WORK, Plan, ShardRecord, note_file, read_plan, shard_name
from triglot.shards.stage import read_texts, texts_file

log = logging.getLogger("triglot")
Texts = dict[str, list[Any]]


@dataclass(frozen=True)
class Job:
    """What a worker has to know, in plain values.

    Attributes:
        place: folder of the shards.
        model: folder or name of the model.
        computing: how it computes.
        threads: of the processor; another number may change the last bits of vectors.
    """

    place: str
    model: str
    computing: Computing
    threads: int


class Worker:
    """Makes shards.

    Args:
        job: what of.
        encoder: the model, where it is loaded already.

    Raises:
        InputError: the plan or the model is not there, or the model is another one.
    """

    def __init__(self, job: Job, encoder: Any = None):
        self.place = Path(job.place)
        plan = read_plan(self.place)
        if plan is None:
            raise InputError(f"{self.place}: no plan is there; it has to lie on storage that all machines share")
        self.plan: Plan = plan
        self.encoder = encoder
        if encoder is None:
            self.encoder = load_encoder(job.model, computing=job.computing)
            _threads(job.threads)
            if not is_alike(unpacked(plan["identity"]["probe"], self.place), probe(self.encoder)):
                raise InputError(f"{job.model}: is another model here than where the work began")

    def texts(self, number: int) -> tuple[int, Texts]:
        """The texts of a shard with all languages told, and `confidence`: None of a language that was given."""
        found = read_texts(self.place / WORK, number, dict(self.plan))
        langs, among = found["lang"], self.plan["identity"]["settings"]["languages"]
        rows = [row for row, lang in enumerate(langs) if not lang]
        found["confidence"] = [None] * len(langs)
        told, confidences = detect_with_confidence([found["text"][row] for row in rows], among) if rows else ([], [])
        for row, lang, confidence in zip(rows, told, confidences, strict=True):
            langs[row], found["confidence"][row] = lang, confidence
        return number, found

    def write(self, number: int, texts: Texts) -> ShardRecord:
        """Encode the texts of a shard and write it. When this returns it is on disk, and its texts are removed."""
        settings = self.plan["identity"]["settings"]
        encoder = self.encoder if settings["debiased"] else inner_of(self.encoder)
        vectors = encode_once(encoder, texts["text"], settings["side"], False, texts["lang"], keep=False)
        if not np.isfinite(vectors).all():
            raise InputError(f"{self.encoder.name}: shard {number}: a vector is not finite")
        fields = dict(self.plan["fields"].values())
        own = [texts[name] for name in ("id", "text", "lang", "confidence", "group")]
        name = shard_name(number)
        about = {"model": self.plan["identity"]["model"], "shard": number}
        formats.write(
            self.place / name,
            [*own, *(texts[field] for field in fields)],
            np.asarray(vectors, np.float32),
            fields=fields,
            dtype=settings["dtype"],
            about=about,
        )
        record: ShardRecord = {
            "name": name,
            "rows": len(own[0]),
            "digest": file_checksum(self.place / name),
            "languages": dict(Counter(texts["lang"]).most_common()),
            "told": sum(one is not None for one in texts["confidence"]),
        }
        write_sealed(note_file(self.place / WORK, number), record)
        texts_file(self.place / WORK, number).unlink(missing_ok=True)
        return record


def threads_here() -> int:
    """Threads of the processor that this process computes with."""
    import sys

    from threadpoolctl import threadpool_info

    if "torch" in sys.modules:
        return sys.modules["torch"].get_num_threads()
    return max([library["num_threads"] for library in threadpool_info()], default=1)


def _threads(count: int) -> None:
    """So many threads of the processor for whatever computes here."""
    import sys

    from threadpoolctl import threadpool_limits

    threadpool_limits(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def run(job: Job, numbers: Sequence[int], encoder: Any, workers: int) -> Iterator[ShardRecord]:
    """Make shards here, one after the other; the texts of the next one are read, and their languages told, in a thread.

    There is one worker; others belong to a cluster.
    """
    worker = Worker(job, encoder)
    for number, texts in ahead(worker.texts, numbers, depth=1, name="texts"):
        yield worker.write(number, texts)
