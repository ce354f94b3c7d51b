"""A teacher's vectors of the texts that a run will show: made once before the first step, kept on disk, read as
needed.

They lie in a folder of the run with checksums, so that a run that was killed goes on with the very same ones. Only
texts that the plan shows are encoded, block by block; what is read of them during training is what a batch needs.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triglot.batches import RunPlan
from triglot.corpus.parallel import ParallelCorpus
from triglot.encoder.protocol import Encoder
from triglot.files import InputError, atomic_folder, blamed, nearest
from triglot.losses import LossSettings
from triglot.losses.terms import Target, TermSettings
from triglot.sealed import check_files, checksums, discard, read_sealed, write_sealed
from triglot.train.distributed import is_main, main_first

log = logging.getLogger("triglot")
_VECTORS, _PROJECTION, SEAL = "vectors.npy", "projection.npy", "teacher.json"
_BLOCK = 8192  # texts encoded at once
_SAMPLE = 4000  # texts that a projection is fitted on
_RIDGE = 1e-2


@dataclass(frozen=True)
class Taught:
    """What one teacher says.

    Attributes:
        keys: (n,) ascending, twice the number of a text, plus 1 for a text read as a passage.
        vectors: (n, dim) float32 of unit length, on disk.
        projection: (student's dim, dim) where a linear map into the teacher's space begins; None where both have the
            same dimensions.
        checksum: of all that.
    """

    keys: np.ndarray
    vectors: np.ndarray
    projection: np.ndarray | None
    checksum: str

    def places(self, keys: np.ndarray) -> np.ndarray:
        """Rows of `vectors`, -1 for what the teacher did not read."""
        places = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        return np.where(self.keys[places] == keys, places, -1) if len(self.keys) else np.full(len(keys), -1)


@dataclass(frozen=True)
class Teachers:
    """All teachers of a stage.

    Attributes:
        corpus: what they read.
        taught: name (empty for the model that the stage starts from) -> what it says.
    """

    corpus: ParallelCorpus
    taught: Mapping[str, Taught]

    def of(
        self, target: Target, group: np.ndarray, lang: np.ndarray, sides: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which of these texts have a teacher's vector, as places among them, and the vectors (n, teacher's dim).

        Args:
            target: what is asked for.
            group: (texts,) as of a `Batch`.
            lang: likewise.
            sides: likewise.
        """
        taught = self.taught[target.teacher]
        text = read_texts(self.corpus, target, group, lang)
        rows = np.where(text >= 0, taught.places(2 * text + sides), -1)
        places = np.flatnonzero(rows >= 0)
        return places, np.asarray(taught.vectors[rows[places]])

    @property
    def checksum(self) -> dict[str, str]:
        """Name -> checksum, for a checkpoint."""
        return {name: one.checksum for name, one in self.taught.items()}


def read_texts(corpus: ParallelCorpus, target: Target, group: np.ndarray, lang: np.ndarray) -> np.ndarray:
    """(texts,) the text that the teacher reads in place of each, -1 for none; one that is shown by code-switching has
    none of its own."""
    own = corpus.text_of[group, lang].astype(np.int64)
    if not target.reference:
        return own
    texts = corpus.text_of[group, corpus.languages.index(target.reference)].astype(np.int64)
    return np.where(texts < 0, own, texts) if target.missing == "own" else texts


def check_references(corpus: ParallelCorpus, loss: LossSettings) -> None:
    """Raises InputError for a reference language that the corpus does not have."""
    for target in loss.targets:
        if target.reference and target.reference not in corpus.languages:
            known = nearest(target.reference, corpus.languages)
            raise InputError(f"loss.terms: reference: no text in {target.reference!r}{known}")


def prepare(
    loss: LossSettings,
    corpus: ParallelCorpus,
    plan: RunPlan,
    folder: Path,
    *,
    student: Encoder,
    load: Callable[[str], Encoder],
    made: Mapping[str, Any],
    progress: bool = False,
) -> Teachers | None:
    """The vectors that the terms of a loss ask for; None where no term asks for any.

    Args:
        loss: with the terms.
        corpus: of the stage.
        plan: which texts will be shown.
        folder: where they are kept, a folder for each teacher.
        student: the model that the stage starts from.
        load: the model of another teacher, by its name.
        made: what the vectors depend on beside that: checksums of data and models. Others than those on disk: the
            vectors are made again.
        progress: show bars.

    Raises:
        InputError: a reference language that the corpus lacks, a teacher that cannot be loaded, or a folder that cannot
            be written.
    """
    if not loss.targets:
        return None
    check_references(corpus, loss)
    wanted = _wanted(loss, corpus, plan)
    vectors = {}
    for number, (name, keys) in enumerate(sorted(wanted.items())):
        place = folder / str(number)
        facts = {**made, "teacher": name, "texts": hashlib.blake2b(keys.tobytes(), digest_size=16).hexdigest()}
        with main_first():
            if is_main() and not _is_whole(place, facts):
                teacher = load(name) if name else student
                _write(place, corpus, keys, teacher, student, facts, progress)
            vectors[name] = _read(place, keys)
    return Teachers(corpus, vectors)


def clear(folder: Path) -> None:
    """Remove what `prepare` left."""
    for place in sorted(folder.glob("*")) if folder.is_dir() else []:
        if (place / SEAL).is_file():
            discard(place, (_VECTORS, _PROJECTION, SEAL))
    discard(folder, ())
    discard(folder.parent, ())


def _wanted(loss: LossSettings, corpus: ParallelCorpus, plan: RunPlan) -> dict[str, np.ndarray]:
    """Teacher -> keys of the texts that it has to read."""
    sides = {
        target: {side for term in loss.beside if term.target == target for side in _sides(term)}
        for target in loss.targets
    }
    asked: dict[str, set[int]] = {target.teacher: set() for target in loss.targets}
    for group, lang, passage in _shown(corpus, plan):
        for target, wanted in sides.items():
            if passage in wanted:
                text = read_texts(corpus, target, group, lang)
                asked[target.teacher].update((2 * text[text >= 0] + passage).tolist())
    return {name: np.array(sorted(keys), np.int64) for name, keys in asked.items()}


def _sides(term: TermSettings) -> tuple[bool, ...]:
    return {"query": (False,), "passage": (True,)}.get(getattr(term, "side", "both"), (False, True))


def _shown(corpus: ParallelCorpus, plan: RunPlan) -> Iterator[tuple[np.ndarray, np.ndarray, bool]]:
    """Yield (groups, languages, whether they are passages) of the rows of each step."""
    for step in plan:
        yield corpus.query[step.rows], step.query_lang, False
        row, place = np.nonzero(step.passage_lang >= 0)
        yield corpus.passage[step.rows][row], step.passage_lang[row, place], True


def _is_whole(place: Path, facts: Mapping[str, Any]) -> bool:
    """Whether vectors of the same facts lie there undamaged; damage is said."""
    if not (place / SEAL).is_file():
        if place.exists() and any(place.iterdir()):
            raise InputError(
                f"{place}: holds something that no run has written there; remove it, or choose another place"
            )
        return False
    try:
        seal = read_sealed(place / SEAL)
        if seal.get("facts") != facts:
            return False
        check_files(place, dict(seal.get("files", {})))
    except InputError as error:
        log.warning("%s; the teacher's vectors are made again", error)
        return False
    return True


def _write(
    place: Path,
    corpus: ParallelCorpus,
    keys: np.ndarray,
    teacher: Encoder,
    student: Encoder,
    facts: Mapping[str, Any],
    progress: bool,
) -> None:
    log.info("%s reads %s texts as a teacher", facts["teacher"] or "the start", f"{len(keys):,}")
    with blamed(place), atomic_folder(place) as folder:
        with (folder / _VECTORS).open("wb") as handle:
            shape = {"descr": "<f4", "fortran_order": False, "shape": (len(keys), teacher.dim)}
            np.lib.format.write_array_header_1_0(handle, shape)
            for start in range(0, len(keys), _BLOCK):
                block = encoded(corpus, keys[start : start + _BLOCK], teacher, progress)
                handle.write(block.astype("<f4").tobytes())
        if teacher.dim != student.dim:
            sample = (
                keys[np.linspace(0, len(keys) - 1, min(len(keys), _SAMPLE)).astype(np.int64)] if len(keys) else keys
            )
            own, other = (encoded(corpus, sample, encoder, progress) for encoder in (student, teacher))
            np.save(folder / _PROJECTION, ridge(own, other))
        write_sealed(folder / SEAL, {"facts": dict(facts), "files": checksums(folder)})


def encoded(corpus: ParallelCorpus, keys: np.ndarray, encoder: Encoder, progress: bool = False) -> np.ndarray:
    """(n, dim) unit vectors of texts, each read on its side."""
    out = np.empty((len(keys), encoder.dim), np.float32)
    for number, side in enumerate(("query", "passage")):
        mine = np.flatnonzero(keys % 2 == number)
        if len(mine):
            texts = corpus.texts.take(keys[mine] // 2).to_pylist()
            out[mine] = encoder.encode(texts, side=side, progress=progress)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)


def ridge(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(own dim, other dim) float32, the linear map of least squared error from one space to another, with a penalty on
    its size."""
    own, other = own.astype(np.float64), other.astype(np.float64)
    gram = own.T @ own
    penalty = _RIDGE * max(np.trace(gram) / len(gram), 1e-12)
    return np.linalg.solve(gram + penalty * np.eye(len(gram)), own.T @ other).astype(np.float32)


def _read(place: Path, keys: np.ndarray) -> Taught:
    projection = place / _PROJECTION
    files: Sequence[str] = sorted(read_sealed(place / SEAL)["files"].items())
    try:
        vectors = np.load(place / _VECTORS, mmap_mode="r", allow_pickle=False)
        start = np.load(projection, allow_pickle=False) if projection.is_file() else None
    except (OSError, ValueError) as error:
        raise InputError(f"{place}: the teacher's vectors cannot be read ({error})") from None
    return Taught(keys, vectors, start, hashlib.blake2b(repr(files).encode(), digest_size=16).hexdigest())
