"""Classification benchmarks: what a head is trained on, what it is judged on, and no overlap of the two."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from triglot.augment.lexicon import Lexicon
from triglot.classify.heads import Head, HeadSettings, load_head
from triglot.corpus.formats.registry import FORMATS, path_first
from triglot.corpus.formats.wordlist import read_lists
from triglot.corpus.labelled import Labelled, LabelledData, NoTraining
from triglot.document import Document
from triglot.files import InputError, SettingError, nearest
from triglot.ranges import Half, Range, Seed, Share, check_ranges
from triglot.settings import build

log = logging.getLogger("triglot")


@dataclass(frozen=True)
class SmoothSettings:
    """Randomised smoothing of a head (arXiv 2104.08645): it is trained on changed copies of the texts, and may vote
    over such copies.

    Attributes:
        lists: folder of word lists, inside the data folder; empty for no smoothing.
        copies: of each training pair, which take the place of the clean one, as in the authors' data (3 for XNLI, 10
            for PAWS-X). Each word of both texts becomes a uniform draw from itself and its neighbours.
        clean: whether the clean pair is trained on beside them.
        rate: share of the words that are drawn.
        into: languages whose words are neighbours too; empty for synonyms alone.
        half: which half of the lists (0 or 1), so that an attack can have the other; None for all.
        votes: copies of each tested pair over which probabilities are averaged; 0 to judge the clean text. Whether the
            authors vote is not stated in what could be read.
    """

    lists: str = ""
    copies: Annotated[int, Range(1, 100)] = 3
    clean: bool = False
    rate: Share = 1.0
    into: tuple[str, ...] = ()
    half: Half | None = 0
    votes: Annotated[int, Range(0, 100)] = 0

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class ClassifySettings:
    """How a head is trained for a benchmark, and what it is judged on.

    Attributes:
        split: what is tested, the first part of the file names; empty for `dev` (nli) or `valid` (stance).
        train: what the head is trained on. nli: empty for a part of the tested split itself (by premise), else another
            split of the folder, a file such as `some/train-en.tsv`, or a folder of these. stance: a split of the
            folder, empty for `train`.
        share: of the premises, where the head is trained on a part of the tested split; the others are tested.
        pairs: languages of the training pairs: xx (both texts in one), xy (in two), hybrid (a share `alpha` of the
            items xx, the rest xy).
        alpha: see `pairs`.
        train_languages: of the training pairs; None for those that are tested (for a file or folder of its own: those
            that it has).
        new_authors: stance: leave out of the training part what authors wrote who are in the tested part too.
        sides: as what the encoder takes the first and the second text; None for passage and passage (nli), query and
            passage (stance).
        trained: folder of a head that was trained before; nothing is trained then.
        head: see `HeadSettings`.
        smooth: see `SmoothSettings`.
        seed: of the split, the languages, and the held-out part.
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
    smooth: SmoothSettings = field(default_factory=SmoothSettings)
    seed: Seed = 1
    strict: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.train_languages is not None and not self.train_languages:
            raise SettingError("train_languages", "names none; leave it out for all")
        if self.pairs != "xx" and self.train_languages is not None and len(set(self.train_languages)) < 2:
            raise SettingError("train_languages", f"pairs {self.pairs} need two languages")
        if self.trained and self.train:
            raise SettingError("trained", "is a head already; leave out either `train` or `trained`")


@dataclass(frozen=True)
class Task:
    """A classification benchmark, read.

    Attributes:
        name: in files and tables.
        format: of its files.
        settings: how the head is trained.
        test: what is judged.
        codes: languages of the test.
        train: what the head learns from; None where a head is given.
        train_codes: languages of its pairs; None for all of `train`.
        head: one that was trained before.
        notes, licence: for the results.
        facts: kept with the head.
        counts: for the results.
        sides, majority_by_group: see `triglot.corpus.labelled.LabelledData`.
        lexicon: neighbours of words, where the head is smoothed.
    """

    name: str
    format: str
    settings: ClassifySettings
    test: Labelled
    codes: tuple[str, ...]
    train: Labelled | None
    train_codes: tuple[str, ...] | None
    head: Head | None
    notes: tuple[str, ...] = ()
    licence: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    sides: tuple[str, str] = ("passage", "passage")
    majority_by_group: bool = False
    lexicon: Lexicon | None = None

    def __repr__(self) -> str:
        trained = "a head" if self.train is None else f"{len(self.train):,} to train on"
        return f"Task({self.name!r}: {len(self.test):,} pairs in {', '.join(self.codes)}; {trained})"


# Settings that readers of data take.
_DATA = (
    "split",
    "train",
    "train_languages",
    "share",
    "seed",
    "new_authors",
    "strict",
)


def split_options(format: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], ClassifySettings, tuple[str, ...]]:
    """Options of a benchmark, parted: those of the reader for retrieval, those of the classification, and which tasks
    are asked for.

    Args:
        format: one with a reader for classification.
        options: fields of `ClassifySettings`, and `tasks`: retrieval, classification or both; by default both, where
            the training part is there.

    Raises:
        InputError: an unknown option, or a wrong value.
    """
    row, given = FORMATS[format], dict(options)
    tasks = given.pop("tasks", None) or ()
    tasks = (tasks,) if isinstance(tasks, str) else tuple(tasks)
    for task in tasks:
        if task not in row.tasks:
            raise SettingError("tasks", f"{format} has no {task!r}{nearest(task, row.tasks)}")
    of_reader = row.options("retrieval") if "retrieval" in row.tasks else ()
    return {key: given[key] for key in given if key in of_reader and key in _DATA}, classify_settings(given, ""), tasks


def read_parts(
    path: str | Path, *, format: str, name: str, options: Mapping[str, Any], **more: Any
) -> tuple[dict[str, Any] | None, Task | None]:
    """The tasks of a benchmark whose format has a reader for classification.

    Args:
        path: its folder.
        format: of its files.
        name: in files and tables; a classification beside a retrieval is called `NAME-classification`.
        options: see `split_options`.
        more: see `read_task`.

    Returns:
        options of the reader for retrieval (None where there is none), and the classification (None where there is
        none).

    Raises:
        InputError: as `split_options` and `read_task`.
    """
    of_reader, settings, asked = split_options(format, options)
    tasks = asked or FORMATS[format].tasks
    label = f"{name}-classification" if "retrieval" in tasks else name
    if "classification" not in tasks:
        return of_reader, None
    try:
        task = read_task(path, format=format, name=label, settings=settings, **more)
    except NoTraining as error:
        if asked or "retrieval" not in tasks:
            raise
        log.warning("%s: %s, so no head can be trained: retrieval alone", name, error)
        task = None
    return (of_reader if "retrieval" in tasks else None), task


def classify_settings(options: Mapping[str, Any], where: str = "options") -> ClassifySettings:
    """Settings from plain values. Raises InputError that names the key and the nearest known one."""
    return build(ClassifySettings, Document(dict(options), where))


@path_first
def read_task(
    path: str | Path,
    *,
    format: str,
    name: str,
    languages: Sequence[str] | None = None,
    licence: str = "",
    settings: ClassifySettings | None = None,
    base: str | Path = "",
    among: Sequence[str] = (),
) -> Task:
    """Read a classification benchmark.

    Args:
        path: its folder.
        format: of its files: nli, stance, or another with a reader for classification.
        name: in files and tables.
        languages: test in these alone; None for all that there are.
        licence: of the data.
        settings: see `ClassifySettings`.
        base: folder that `settings.train` and `settings.trained` are relative to.
        among: where `languages` is None: those of these that the data have; empty for all.

    Raises:
        InputError: files that are missing, cannot be read or are not aligned; an unknown language; a head of other
            labels.
    """
    settings, row = settings or ClassifySettings(), FORMATS[format]
    head = load_head(Path(base) / settings.trained) if settings.trained else None
    wishes = {key: getattr(settings, key) for key in _DATA}
    wishes |= {"languages": languages, "among": among, "base": base, "head": head and head.facts}
    known = row.options("classification")
    data: LabelledData = row.read("classification", path, {key: value for key, value in wishes.items() if key in known})
    train, test = data.train, data.test
    if head and head.labels != test.labels:
        raise InputError(
            f"{name}: the head tells {', '.join(head.labels)} apart, and {format} has {', '.join(test.labels)}"
        )
    for part, wanted in ((test, languages), (train, settings.train_languages)):
        for code in wanted or ():
            if part is not None and code not in part.languages:
                raise InputError(f"{name}: {path}: no language {code!r}{nearest(code, part.languages)}")
    asked = among or None if languages is None else languages
    codes = tuple(code for code in test.languages if asked is None or code in asked)
    train_codes = settings.train_languages or (None if data.own_languages or asked is None else tuple(asked))
    if train is not None and train_codes is not None:
        # Where they are the tested ones, as far as the training part has them.
        train_codes = tuple(code for code in train_codes if code in train.languages)
    notes = (*data.notes, f"head: {settings.trained}") if head else tuple(data.notes)
    more = {
        "sides": data.sides,
        "majority_by_group": data.majority_by_group,
        "facts": data.facts,
        "counts": data.counts,
        "lexicon": _lexicon(settings.smooth, base, (*test.languages, *(train.languages if train else ()))),
    }
    return Task(name, format, settings, test, codes, train, train_codes, head, notes, licence, **more)


def _lexicon(smooth: SmoothSettings, base: str | Path, languages: Sequence[str]) -> Lexicon | None:
    """The word lists of a smoothed head."""
    if not smooth.lists:
        return None
    codes = sorted({"en", *languages, *smooth.into})
    lexicon = Lexicon(read_lists(Path(base) / smooth.lists, languages=codes, both=True, half=smooth.half)[0])
    lexicon.check(smooth.into)
    return lexicon
