"""Classification by a head on frozen vectors: XNLI accuracy in one language and in two, X-Stance accuracy and macro F1.

XNLI: Conneau et al. (2018). Premise and hypothesis in two languages: as MLQA's generalised cross-lingual transfer
(Lewis et al. 2020). X-Stance: Vamvas and Sennrich (2020).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from triglot.augment.smooth import smooth_copies
from triglot.classify.heads import Head, fit_head
from triglot.classify.tasks import SmoothSettings, Task
from triglot.corpus.labelled import Labelled
from triglot.encoder.once import encode_once
from triglot.encoder.protocol import Encoder
from triglot.files import InputError
from triglot.measures import Measure, known
from triglot.measures.result import Part, Result

SETTINGS = ("classification", "generalised")  # both texts in one language, or in two


@dataclass(frozen=True, repr=False)
class Classification(Result):
    """What a head on one encoder reached on one benchmark.

    Attributes:
        summary: the benchmark's entry in results.json: classification (both texts in one language), generalised (in
            two), majority, counts, head, notes, licence.
        by_language: the content of NAME.languages.json: a matrix by the language of the first text and that of the
            second.
        items: the content of NAME.items.parquet: one row an (item, first language, second language).
        head: what judged.
    """

    summary: dict[str, Any]
    by_language: dict[str, Any]
    items: dict[str, np.ndarray]
    head: Head
    unit: ClassVar = "items"

    @property
    def parts(self) -> Mapping[str, Part]:
        """The head; an attacked form has that of the clean one."""
        return {} if "robustness" in self.summary else {"head": self.head}


@dataclass(frozen=True)
class Trial:
    """A task with all that judging takes: what is tested, its vectors, a head.

    Attributes:
        task: what is judged.
        head: that judges.
        first, second: (texts, dim) vectors.
        rows: (rows, 2) indices into both, of what is tested.
        item: (rows,) of `task.test`.
        pairs: (rows, 2) languages of the first and the second text.
        majority: name of a baseline -> (items,) what it predicts.
        counts, notes: for the results.
        votes: one (rows, 2) a vote of a smoothed head: indices of changed copies of the tested texts.
    """

    task: Task
    head: Head
    first: np.ndarray
    second: np.ndarray
    rows: np.ndarray
    item: np.ndarray
    pairs: np.ndarray
    majority: Mapping[str, np.ndarray]
    counts: Mapping[str, int]
    notes: Sequence[str]
    votes: Sequence[np.ndarray] = ()

    def judged(
        self, second: np.ndarray | None = None, at: np.ndarray | None = None, votes: Sequence[np.ndarray] = ()
    ) -> Classification:
        """How well the head does; a smoothed one by the mean of its probabilities over the votes.

        Args:
            second: (texts, dim) other vectors of second texts.
            at: (rows,) which of these each row has.
            votes: for each vote, (texts, dim) vectors of their copies, in the same order.
        """
        copies = self.votes or (self.rows,)
        given = [self.second if second is None else second] * len(copies)
        log_p = [
            self.head.scores(self.first, one, rows if at is None else np.column_stack([rows[:, 0], at]))
            for rows, one in zip(copies, votes or given, strict=True)
        ]
        scores = np.logaddexp.reduce(log_p, axis=0) - np.log(len(log_p))
        return _tabulate(self.task, self.head, self.item, self.pairs, scores, self.majority, self.counts, self.notes)


def evaluate_task(encoder: Encoder, task: Task, *, progress: bool = False) -> Classification:
    """Encode every different text once, train the head (unless one is given), and judge every pair of languages.

    Args and errors as `tried`.
    """
    trial = tried(encoder, task, progress=progress)
    with _named(task):
        return trial.judged()


@contextmanager
def _named(task: Task) -> Iterator[None]:
    """Errors that begin with the name of the task."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{task.name}: {error}") from None


def tried(encoder: Encoder, task: Task, *, progress: bool = False) -> Trial:
    """A task with vectors and head, not judged yet.

    Args:
        encoder: anything with `encode(texts, *, side, progress)`.
        task: from `read_task`.
        progress: show bars.

    Raises:
        InputError: a class is missing in the training part, a head of another dimension, vectors that are not finite.
    """
    train, test, head = task.train, task.test, task.head
    notes, counts, majority = [], dict(task.counts), {}
    with _named(task):
        tested = _cells_of(test, task.codes)
        parts = [(test, test.rows(*tested))]
        items, pairs = np.zeros(0, np.int64), np.zeros((0, 2), np.int64)
        if train is not None:
            items, pairs = train.draw(
                task.settings.pairs, task.train_codes, alpha=task.settings.alpha, seed=task.settings.seed
            )
            parts += _training(task, train.rows(items, pairs))
        smooth, lexicon = task.settings.smooth, task.lexicon
        voting = range(smooth.votes if lexicon is not None else 0)
        parts += [(_copied(task, *parts[0], f"vote {number}"), parts[0][1]) for number in voting]
        first, second, rows = _encode(encoder, parts, task.settings.sides or task.sides, progress)
        rows, votes = rows[: len(rows) - len(voting)], rows[len(rows) - len(voting) :]
        if train is not None:
            used = np.unique(items)
            numbers = np.bincount(train.target[used], minlength=len(train.labels)).tolist()
            facts = {
                **task.facts,
                "pairs": task.settings.pairs,
                "languages": [train.languages[i] for i in np.unique(pairs)],
            }
            facts["label_counts"] = dict(zip(train.labels, numbers, strict=True))
            copies = len(rows) - 1
            if lexicon is not None:
                facts["smooth"] = asdict(smooth)
                notes.append(_told(smooth))
            head = fit_head(
                first,
                second,
                np.concatenate(rows[1:]),
                np.tile(train.target[items], copies),
                labels=train.labels,
                group=np.tile(train.group[items], copies),
                settings=task.settings.head,
                seed=task.settings.seed,
                facts=facts,
            )
            counts |= {"training_items": len(used), "training_pairs": len(items)}
            if not head.facts["converged"]:
                notes.append(f"the head stopped after {head.facts['iterations']} iterations, before it converged")
            if task.majority_by_group:
                majority["majority_by_question"] = _majority_by_group(train, used, test)
        assert head is not None
    if "label_counts" in head.facts:
        majority["majority"] = np.full(
            len(test), int(np.argmax([head.facts["label_counts"][label] for label in head.labels]))
        )
    return Trial(task, head, first, second, rows[0], *tested, majority, counts, notes, votes)


def _training(task: Task, rows: np.ndarray) -> list[tuple[Labelled, np.ndarray]]:
    """What the head is trained on: the rows as they are, or copies of them where it is smoothed."""
    assert task.train is not None
    if task.lexicon is None:
        return [(task.train, rows)]
    smooth = task.settings.smooth
    copies = [_copied(task, task.train, rows, f"copy {number}") for number in range(smooth.copies)]
    return [(one, rows) for one in ([task.train] if smooth.clean else []) + copies]


def _copied(task: Task, part: Labelled, rows: np.ndarray, purpose: str) -> Labelled:
    """The part with changed copies of the texts that rows name."""
    changed = []
    for column, (texts, at) in enumerate(((part.first, part.first_at), (part.second, part.second_at))):
        lang_of = np.zeros(len(texts), np.int64)
        for code, places in enumerate(at):
            lang_of[places[places >= 0]] = code
        used = np.unique(rows[:, column])
        langs = [part.languages[code] for code in lang_of[used].tolist()]
        new = list(texts)
        for place, text in zip(
            used.tolist(),
            copies_of(task, [texts[i] for i in used.tolist()], langs, f"{purpose} {column}", numbers=used),
            strict=True,
        ):
            new[place] = text
        changed.append(new)
    return replace(part, first=changed[0], second=changed[1])


def copies_of(
    task: Task, texts: Sequence[str], langs: Sequence[str], purpose: str, *, numbers: np.ndarray | None = None
) -> list[str]:
    """A copy of each text, as the smoothing of a task makes it."""
    smooth, lexicon = task.settings.smooth, task.lexicon
    assert lexicon is not None
    options = {"rate": smooth.rate, "into": smooth.into, "seed": task.settings.seed, "purpose": f"smooth {purpose}"}
    return smooth_copies(texts, langs, lexicon, numbers=numbers, **options)


def _told(smooth: SmoothSettings) -> str:
    what = f"{smooth.copies} changed copies of each pair{', and the clean one' if smooth.clean else ''}"
    votes = f"; it votes over {smooth.votes} copies" if smooth.votes else ""
    return f"the head is smoothed: trained on {what}{votes} (words become themselves or neighbours in the word lists)"


def _cells_of(test: Labelled, codes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Items (rows,) and languages (rows, 2) of every pair of languages that items have."""
    chosen = test.indices(codes).tolist()
    cells = [(a, b) for a in chosen for b in chosen]
    rows = [np.flatnonzero((test.first_at[a] >= 0) & (test.second_at[b] >= 0)) for a, b in cells]
    if not any(map(len, rows)):
        raise InputError(f"no item has both texts in {', '.join(codes)}")
    return np.concatenate(rows), np.repeat(np.array(cells, np.int64), [len(row) for row in rows], axis=0)


def _encode(
    encoder: Encoder, parts: Sequence[tuple[Labelled, np.ndarray]], sides: Sequence[str], progress: bool
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Vectors of the first and of the second texts that the rows of the parts name, and the rows as indices into
    them."""
    texts: tuple[list[str], list[str]] = ([], [])
    moved = [np.empty_like(rows) for _, rows in parts]
    for column in (0, 1):
        for (part, rows), new in zip(parts, moved, strict=True):
            needed, place = np.unique(rows[:, column], return_inverse=True)
            new[:, column] = place + len(texts[column])
            known = part.second if column else part.first
            texts[column].extend(known[i] for i in needed.tolist())
    if sides[0] == sides[1]:
        first, second = np.split(encode_once(encoder, [*texts[0], *texts[1]], sides[0], progress), [len(texts[0])])
    else:
        first, second = (
            encode_once(encoder, column, side, progress) for column, side in zip(texts, sides, strict=True)
        )
    return first, second, moved


def _majority_by_group(train: Labelled, used: np.ndarray, test: Labelled) -> np.ndarray:
    """(test items,) the commonest training label of the item's question; that of all where there is none, or as many of
    two."""
    classes = len(train.labels)
    counts = np.zeros((int(max(train.group.max(), test.group.max())) + 1, classes), np.int64)
    np.add.at(counts, (train.group[used], train.target[used]), 1)
    of_all = int(counts.sum(0).argmax())
    tied = (counts == counts.max(1, keepdims=True)).sum(1) > 1
    return np.where(tied, of_all, counts.argmax(1))[test.group]


def _cells(
    pairs: np.ndarray, target: np.ndarray, predicted: np.ndarray, test: Labelled
) -> dict[tuple[int, int], dict[str, float]]:
    """(first language, second language) -> accuracy and the other measures of classes, and the number of items."""
    languages, classes = len(test.languages), len(test.labels)
    flat = ((pairs[:, 0] * languages + pairs[:, 1]) * classes + target) * classes + predicted
    confusion = np.bincount(flat, minlength=languages**2 * classes**2).reshape(languages, languages, classes, classes)
    number = confusion.sum((2, 3))
    values = {one.name: one.values(confusion) for one in _measures()}
    return {
        (a, b): {name: float(value[a, b]) for name, value in values.items()} | {"items": int(number[a, b])}
        for a, b in np.argwhere(number).tolist()
    }


def _measures() -> list[Measure]:
    return [one for one in known() if one.of == "classes"]


def _macro(cells: Mapping[tuple[int, int], Mapping[str, float]], same: bool) -> dict[str, float]:
    """Means over languages where both texts are in one, or over ordered pairs where they are in two; empty where there
    are none."""
    chosen = [cell for (a, b), cell in cells.items() if (a == b) == same]
    return (
        {measure: float(np.mean([cell[measure] for cell in chosen])) for measure in (one.name for one in _measures())}
        if chosen
        else {}
    )


def _tabulate(
    task: Task,
    head: Head,
    item: np.ndarray,
    pairs: np.ndarray,
    scores: np.ndarray,
    majority: Mapping[str, np.ndarray],
    counts: Mapping[str, int],
    notes: Sequence[str],
) -> Classification:
    test = task.test
    predicted, target = scores.argmax(1), test.target[item].astype(np.int64)
    cells = _cells(pairs, target, predicted, test)
    summary: dict[str, Any] = {
        name: figures for name, same in zip(SETTINGS, (True, False), strict=True) if (figures := _macro(cells, same))
    }
    by_language: dict[str, Any] = {"languages": list(task.codes), "mono": {}, "cross": {}}
    for (a, b), cell in cells.items():
        if a == b:
            by_language["mono"][test.languages[a]] = cell
        else:
            by_language["cross"].setdefault(test.languages[a], {})[test.languages[b]] = cell
    for name, constant in majority.items():
        baseline = _cells(pairs, target, constant[item], test)
        summary[name] = _macro(baseline, True) or _macro(baseline, False)
    facts = ("pairs", "languages", "penalty", "hidden", "iterations", "converged", "train", "share", "split_seed")
    summary["head"] = {key: head.facts[key] for key in facts if key in head.facts}
    summary["counts"] = dict(counts)
    summary["notes"] = [*task.notes, *notes]
    summary["licence"] = task.licence
    names, languages = np.array(test.labels, dtype=object), np.array(test.languages, dtype=object)
    items = {
        "item_id": np.array(test.ids, dtype=object)[item],
        "cluster": test.group[item],
        "setting": np.where(pairs[:, 0] == pairs[:, 1], *SETTINGS).astype(object),
        "first_lang": languages[pairs[:, 0]],
        "second_lang": languages[pairs[:, 1]],
        "label": names[target],
        "predicted": names[predicted],
        "correct": target == predicted,
        "probability": np.exp(scores[np.arange(len(item)), target]).astype(np.float32),
    }
    return Classification(summary, by_language, items, head)
