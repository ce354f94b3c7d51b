"""Classification benchmarks: what a head is trained on, what it is judged on, and no overlap of the two."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from triglot.classify.heads import Head, HeadSettings, load_head
from triglot.classify.labelled import Labelled, of_inference, of_stances
from triglot.corpus.formats import nli, stance
from triglot.corpus.tally import Tally
from triglot.files import InputError, nearest
from triglot.ranges import Range, Seed, Share, check_ranges
from triglot.settings import Document, build

log = logging.getLogger("triglot")


@dataclass(frozen=True)
class Classify:
    """How a head is trained for a benchmark, and what it is judged on.

    Attributes:
        split: what is tested, the first part of the file names; empty for `dev` (nli) or `valid` (stance).
        train: what the head is trained on. nli: empty for a part of the tested split itself (by premise), else another split of the folder,
            a file such as `some/train-en.tsv`, or a folder of these. stance: a split of the folder, empty for `train`.
        share: of the premises, where the head is trained on a part of the tested split; the others are tested.
        pairs: languages of the training pairs: xx (both texts in one), xy (in two), hybrid (a share `alpha` of the items xx, the rest xy).
        alpha: see `pairs`.
        train_languages: of the training pairs; None for those that are tested (for a file or folder of its own: those that it has).
        new_authors: stance: leave out of the training part what authors wrote who are in the tested part too.
        sides: as what the encoder takes the first and the second text; None for passage and passage (nli), query and passage (stance).
        trained: folder of a head that was trained before; nothing is trained then.
        head: see `HeadSettings`.
        seed: of the split, the languages, and the part held apart.
        strict: a record that cannot be used is an error.
    """

    split: str = ""
    train: str = ""
    share: Annotated[float, Range(0, 1, above=True, below=True)] = 0.5
    pairs: Literal["xx", "xy", "hybrid"] = "xx"
    alpha: Share = 0.5
    train_languages: tuple[str, ...] | None = None
    new_authors: bool = False
    sides: tuple[Literal["query", "passage"], Literal["query", "passage"]] | None = None
    trained: str = ""
    head: HeadSettings = field(default_factory=HeadSettings)
    seed: Seed = 1
    strict: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.train_languages is not None and not self.train_languages:
            raise InputError("train_languages: names none; leave it out for all")
        if self.pairs != "xx" and self.train_languages is not None and len(set(self.train_languages)) < 2:
            raise InputError(f"train_languages: pairs {self.pairs} need two languages")
        if self.trained and self.train:
            raise InputError("trained: is a head already; leave out either `train` or `trained`")


@dataclass(frozen=True)
class Task:
    """A classification benchmark, read.

    Attributes:
        name: in files and tables.
        format: nli or stance.
        settings: how the head is trained.
        test: what is judged.
        codes: languages of the test.
        train: what the head learns from; None where a head is given.
        train_codes: languages of its pairs; None for all of `train`.
        head: one that was trained before.
        notes, licence: for the results.
        facts: kept with the head.
        counts: for the results.
    """

    name: str
    format: str
    settings: Classify
    test: Labelled
    codes: tuple[str, ...]
    train: Labelled | None
    train_codes: tuple[str, ...] | None
    head: Head | None
    notes: tuple[str, ...] = ()
    licence: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


FORMATS = {"nli": ("classification",), "stance": ("retrieval", "classification")}
_OF_BOTH = ("split", "strict")  # options of the reader of passages too


def split_options(format: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], Classify, tuple[str, ...]]:
    """Options of a benchmark, parted: those of the reader for retrieval, those of the classification, and which tasks are asked for.

    Args:
        format: nli or stance.
        options: fields of `Classify`, and `tasks`: retrieval, classification or both; by default both, where the training part is there.

    Raises:
        InputError: an unknown option, or a wrong value.
    """
    given = dict(options)
    tasks = given.pop("tasks", None) or ()
    tasks = (tasks,) if isinstance(tasks, str) else tuple(tasks)
    for task in tasks:
        if task not in FORMATS[format]:
            raise InputError(f"options: tasks: {format} has no {task!r}{nearest(task, FORMATS[format])}")
    return {key: given[key] for key in _OF_BOTH if key in given}, classify_settings(given), tasks


def read_parts(
    format: str, path: str | Path, *, name: str, options: Mapping[str, Any], **more: Any
) -> tuple[dict[str, Any] | None, Task | None]:
    """The tasks of a benchmark of format nli or stance.

    Args:
        format: nli or stance.
        path: its folder.
        name: in files and tables; a classification beside a retrieval is called `NAME-classification`.
        options: see `split_options`.
        more: see `read_task`.

    Returns:
        options of the reader for retrieval (None where there is none), and the classification (None where there is none).

    Raises:
        InputError: as `split_options` and `read_task`.
    """
    of_reader, settings, tasks = split_options(format, options)
    if not tasks:
        tasks = FORMATS[format]
        wanted = settings.train or "train"
        if format == "stance" and not settings.trained and not any((Path(path) / f"{wanted}.jsonl{end}").is_file() for end in ("", ".gz")):
            log.warning("%s: no %s.jsonl in %s, so no head can be trained: retrieval alone", name, wanted, path)
            tasks = ("retrieval",)
    task = None
    if "classification" in tasks:
        label = f"{name}-classification" if "retrieval" in tasks else name
        task = read_task(format, path, name=label, settings=settings, **more)
    return (of_reader if "retrieval" in tasks else None), task


def classify_settings(options: Mapping[str, Any], where: str = "options") -> Classify:
    """Settings from plain values. Raises InputError that names the key and the nearest known one."""
    return build(Classify, Document(dict(options), where))


def read_task(
    format: str,
    path: str | Path,
    *,
    name: str,
    languages: Sequence[str] | None = None,
    licence: str = "",
    settings: Classify | None = None,
    base: str | Path = "",
    among: Sequence[str] = (),
) -> Task:
    """Read a classification benchmark.

    Args:
        format: nli or stance.
        path: its folder.
        name: in files and tables.
        languages: test in these alone; None for all that there are.
        licence: of the data.
        settings: see `Classify`.
        base: folder that `settings.train` and `settings.trained` are relative to.
        among: where `languages` is None: those of these that the data have; empty for all.

    Raises:
        InputError: files that are missing, cannot be read or are not aligned; an unknown language; a head of other labels.
    """
    settings = settings or Classify()
    head = load_head(Path(base) / settings.trained) if settings.trained else None
    labels = nli.LABELS if format == "nli" else stance.LABELS
    if head and head.labels != labels:
        raise InputError(f"{name}: the head tells {', '.join(head.labels)} apart, and {format} has {', '.join(labels)}")
    if languages is None and among:
        known = nli.find_files(Path(path), settings.split or "dev", None) if format == "nli" else among
        languages = [code for code in known if code in among]
        if not languages:
            raise InputError(f"{name}: nothing in {', '.join(among)}{nearest('', known)}")
    else:
        among = ()
    read = _read_inference if format == "nli" else _read_stances
    train, test, notes, facts, counts = read(Path(path), settings, languages, head, Path(base))
    for part, wanted in ((test, languages if not among else ()), (train, settings.train_languages)):
        for code in wanted or ():
            if part is not None and code not in part.languages:
                raise InputError(f"{name}: {path}: no language {code!r}{nearest(code, part.languages)}")
    codes = tuple(code for code in test.languages if languages is None or code in languages)
    own = format == "nli" and bool(settings.train)  # the training part has languages of its own
    train_codes = settings.train_languages or (None if own or languages is None else tuple(languages))
    if train is not None and train_codes is not None:  # where they are the tested ones, as far as the training part has them
        train_codes = tuple(code for code in train_codes if code in train.languages)
    return Task(name, format, settings, test, codes, train, train_codes, head, tuple(notes), licence, facts, counts)


_Read = tuple[Labelled | None, Labelled, list[str], dict[str, Any], dict[str, int]]


def _read_inference(path: Path, settings: Classify, languages: Sequence[str] | None, head: Head | None, base: Path) -> _Read:
    split = settings.split or "dev"
    whole = bool(settings.train) or (head is not None and (head.facts.get("split") != split or "share" not in head.facts))
    # Which premises are one depends on the languages read. A split is made of all that there are, so that it is the same for any of them.
    found, tally = nli.read(path, split=split, languages=languages if whole else None, strict=settings.strict)
    notes, facts = list(tally.notes()), {"format": "nli", "split": split}
    if settings.train:
        training, of_training = _inference_file(path, settings, base)
        notes += of_training.notes()
        shared = [code for code in found.languages if code in training.languages]
        known = {code: set(found.premises[code]) for code in shared}
        clean = [i for i in range(len(training)) if not any(training.premises[code][i] in known[code] for code in shared)]
        if len(clean) < len(training):
            notes.append(f"{len(training) - len(clean):,} training items share a premise with the test and are left out")
        if not clean:
            raise InputError(f"{settings.train}: every premise in it is tested too; nothing is left to train on")
        train, test = training.take(np.array(clean)), found
        facts["train"] = Path(settings.train).name
    elif whole:
        return None, of_inference(found), [*notes, f"head: {settings.trained}"], facts, _sizes(found)
    else:
        # A head that was trained on a part of this split is never judged on that part, now or when it is loaded again.
        share, seed = (settings.share, settings.seed) if head is None else (float(head.facts["share"]), int(head.facts["split_seed"]))
        train, test = found.split(share, seed=seed)
        facts |= {"share": share, "split_seed": seed}
        parts = len(np.unique(train.group)), len(np.unique(test.group))
        notes.append(f"the head is trained on {parts[0]:,} premises and tested on {parts[1]:,} others, in all languages")
        if head is not None:
            return None, of_inference(test), [*notes, f"head: {settings.trained}"], facts, _sizes(test)
    return of_inference(train), of_inference(test), notes, facts, _sizes(test) | {"training_premises": len(np.unique(train.group))}


def _sizes(found: nli.Inference) -> dict[str, int]:
    return {"items": len(found), "premises": len(np.unique(found.group))}


def _inference_file(path: Path, settings: Classify, base: Path) -> tuple[nli.Inference, Tally]:
    """The training items of another split, a file or a folder."""
    wanted, place = list(settings.train_languages) if settings.train_languages else None, base / settings.train
    if place.is_file():
        named = nli.NAME.fullmatch(place.name)
        if not named:
            raise InputError(f"{place}: the name does not tell the language; call it train-xx.tsv")
        if wanted and wanted != [named[2]]:
            raise InputError(
                f"{place}: is in {named[2]!r}, and train_languages are {', '.join(wanted)}; name its folder for several languages"
            )
        return nli.read(place.parent, split=named[1], languages=[named[2]], strict=settings.strict)
    if place.is_dir():
        return nli.read(place, split="train", languages=wanted, strict=settings.strict)
    return nli.read(path, split=settings.train, languages=wanted, strict=settings.strict)


def _read_stances(path: Path, settings: Classify, languages: Sequence[str] | None, head: Head | None, base: Path) -> _Read:
    split = settings.split or "valid"
    found, tally = stance.read(path, split=split, languages=languages, strict=settings.strict)
    notes, facts = list(tally.notes()), {"format": "stance"}
    test = of_stances(found)
    counts = {"items": len(found), "questions": len(np.unique(test.group))}
    if head is not None:
        return None, test, [*notes, f"head: {settings.trained}"], facts, counts
    wanted = settings.train_languages or languages
    trained, of_training = stance.read(path, split=settings.train or "train", languages=wanted, strict=settings.strict)
    notes += [note for note in of_training.notes() if note not in notes]
    known = set(found.authors) & set(trained.authors) - {""}
    written = sum(author in known for author in trained.authors)
    if known and settings.new_authors:
        trained = trained.without_authors(sorted(known))
        notes.append(f"{written:,} training comments of {len(known)} authors of tested comments are left out")
    elif known:
        others = sum(author in known for author in found.authors)
        notes.append(
            f"{len(known)} authors wrote {others:,} tested and {written:,} training comments (new_authors: true leaves out the latter)"
        )
    if not len(trained):
        raise InputError(f"{path}: no training comment is left without the authors of the tested ones")
    counts |= {"training_items": len(trained), "shared_authors": len(known)}
    return of_stances(trained), test, notes, facts, counts
