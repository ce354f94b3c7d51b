"""Classification by a head on frozen vectors: XNLI accuracy in one language and in two, X-Stance accuracy and macro F1.

XNLI: Conneau et al. (2018). Its test with premise and hypothesis in two languages carries MLQA's generalised cross-lingual transfer (Lewis et
al. 2020) over to inference. X-Stance: Vamvas and Sennrich (2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triglot.corpus.labelled import Labelled
from triglot.evaluate.evaluator import encode_once
from triglot.evaluate.tasks import Task
from triglot.files import InputError
from triglot.heads import Head, fit_head
from triglot.measures import macro_f1

MEASURES = ("accuracy", "macro_f1")
SETTINGS = ("mono", "cross")  # both texts in one language, or in two
_SIDES = {"nli": ("passage", "passage"), "stance": ("query", "passage")}


@dataclass(frozen=True)
class Classification:
    """What a head on one encoder reached on one benchmark.

    Attributes:
        summary: the benchmark's entry in results.json: classification, majority, counts, head, notes, licence.
        by_language: the content of NAME.languages.json: a matrix by the language of the first text and that of the second.
        items: the content of NAME.items.parquet: one row an (item, first language, second language).
        head: what judged.
    """

    summary: dict[str, Any]
    by_language: dict[str, Any]
    items: dict[str, np.ndarray]
    head: Head

    def to_json(self) -> dict[str, Any]:
        """The benchmark's entry in results.json."""
        return self.summary


def evaluate_task(encoder: Any, task: Task, *, progress: bool = False) -> Classification:
    """Encode every different text once, train the head (unless one is given), and judge every pair of languages.

    Args:
        encoder: anything with `encode(texts, *, side, progress)`.
        task: from `read_task`.
        progress: show bars.

    Raises:
        InputError: a class is missing in the training part, a head of another dimension, vectors that are not finite.
    """
    first_side, second_side = task.settings.sides or _SIDES[task.format]
    train = task.train
    texts = ([*task.test.first, *(train.first if train else ())], [*task.test.second, *(train.second if train else ())])
    first, second = (encode_once(encoder, part, side, progress) for part, side in zip(texts, (first_side, second_side), strict=True))
    notes, counts, head, majority = [], dict(task.counts), task.head, {}
    try:
        if train is not None:
            items, pairs = train.draw(task.settings.pairs, task.train_codes, alpha=task.settings.alpha, seed=task.settings.seed)
            rows = train.rows(items, pairs) + np.array([len(task.test.first), len(task.test.second)])
            used = np.unique(items)
            spoken = [train.languages[i] for i in np.unique(pairs)]
            facts = {**task.facts, "pairs": task.settings.pairs, "languages": spoken}
            facts["label_counts"] = dict(
                zip(train.labels, np.bincount(train.target[used], minlength=len(train.labels)).tolist(), strict=True)
            )
            head = fit_head(
                first,
                second,
                rows,
                train.target[items],
                labels=train.labels,
                group=train.group[items],
                settings=task.settings.head,
                seed=task.settings.seed,
                facts=facts,
            )
            counts |= {"training_items": len(used), "training_pairs": len(items)}
            if task.format == "stance":
                majority["majority_by_question"] = _majority_by_group(train, used, task.test)
            if not head.facts["converged"]:
                notes.append(f"the head stopped after {head.facts['iterations']} iterations, before it converged")
        assert head is not None
        columns = _judge(head, first, second, task)
    except InputError as error:
        raise InputError(f"{task.name}: {error}") from None
    if "label_counts" in head.facts:
        numbers = [head.facts["label_counts"][label] for label in head.labels]
        majority["majority"] = np.full(len(task.test), int(np.argmax(numbers)))
    return _tabulate(task, head, columns, majority, counts, notes)


def _majority_by_group(train: Labelled, used: np.ndarray, test: Labelled) -> np.ndarray:
    """(test items,) the commonest training label of the item's question; that of all where there is none, or as many of two."""
    classes = len(train.labels)
    counts = np.zeros((int(max(train.group.max(), test.group.max())) + 1, classes), np.int64)
    np.add.at(counts, (train.group[used], train.target[used]), 1)
    of_all = int(counts.sum(0).argmax())
    tied = (counts == counts.max(1, keepdims=True)).sum(1) > 1
    return np.where(tied, of_all, counts.argmax(1))[test.group]


def _judge(head: Head, first: np.ndarray, second: np.ndarray, task: Task) -> dict[str, np.ndarray]:
    """One row an (item, first language, second language): indices, and what the head says."""
    test, chosen = task.test, task.test.indices(task.codes)
    cells = [(a, b) for a in chosen.tolist() for b in chosen.tolist()]
    rows = [np.flatnonzero((test.first_at[a] >= 0) & (test.second_at[b] >= 0)) for a, b in cells]
    items = np.concatenate(rows)
    if not len(items):
        raise InputError(f"no item has both texts in {', '.join(task.codes)}")
    pairs = np.repeat(np.array(cells, np.int64), [len(row) for row in rows], axis=0)
    scores = head.scores(first, second, test.rows(items, pairs))
    predicted, target = scores.argmax(1).astype(np.int8), test.target[items]
    of_right = np.exp(scores[np.arange(len(items)), target]).astype(np.float32)
    return {"item": items, "first": pairs[:, 0], "second": pairs[:, 1], "label": target, "predicted": predicted, "probability": of_right}


def _cells(columns: Mapping[str, np.ndarray], predicted: np.ndarray, test: Labelled) -> dict[tuple[int, int], dict[str, float]]:
    """(first language, second language) -> accuracy, macro F1 and the number of items."""
    languages, classes = len(test.languages), len(test.labels)
    cell = columns["first"] * languages + columns["second"]
    flat = (cell * classes + columns["label"]) * classes + predicted
    confusion = np.bincount(flat, minlength=languages**2 * classes**2).reshape(languages, languages, classes, classes)
    number, f1 = confusion.sum((2, 3)), macro_f1(confusion)
    right = np.einsum("abii->ab", confusion)
    return {
        (a, b): {"accuracy": float(right[a, b] / number[a, b]), "macro_f1": float(f1[a, b]), "items": int(number[a, b])}
        for a, b in np.argwhere(number).tolist()
    }


def _macro(cells: Mapping[tuple[int, int], Mapping[str, float]]) -> dict[str, float]:
    """Means over languages where both texts are in one, and over ordered pairs where they are in two."""
    found = {}
    for setting, ending in zip(SETTINGS, ("", "_cross"), strict=True):
        chosen = [cell for (a, b), cell in cells.items() if (a == b) == (setting == "mono")]
        if chosen:
            found |= {measure + ending: float(np.mean([cell[measure] for cell in chosen])) for measure in MEASURES}
    return found


def _tabulate(
    task: Task,
    head: Head,
    columns: dict[str, np.ndarray],
    majority: Mapping[str, np.ndarray],
    counts: Mapping[str, int],
    notes: Sequence[str],
) -> Classification:
    test = task.test
    cells = _cells(columns, columns["predicted"], test)
    summary: dict[str, Any] = {"classification": _macro(cells)}
    by_language: dict[str, Any] = {"languages": list(task.codes), "mono": {}, "cross": {}}
    for (a, b), cell in cells.items():
        if a == b:
            by_language["mono"][test.languages[a]] = cell
        else:
            by_language["cross"].setdefault(test.languages[a], {})[test.languages[b]] = cell
    for name, predicted in majority.items():
        summary[name] = _macro(_cells(columns, predicted[columns["item"]], test))
    told = ("pairs", "languages", "penalty", "hidden", "iterations", "converged", "train", "share", "split_seed")
    summary["head"] = {key: head.facts[key] for key in told if key in head.facts}
    summary["counts"] = dict(counts)
    summary["notes"] = [*task.notes, *notes]
    summary["licence"] = task.licence
    names, languages = np.array(test.labels, dtype=object), np.array(test.languages, dtype=object)
    items = {
        "item_id": np.array(test.ids, dtype=object)[columns["item"]],
        "cluster": test.group[columns["item"]],
        "setting": np.where(columns["first"] == columns["second"], *SETTINGS).astype(object),
        "first_lang": languages[columns["first"]],
        "second_lang": languages[columns["second"]],
        "label": names[columns["label"]],
        "predicted": names[columns["predicted"]],
        "correct": columns["label"] == columns["predicted"],
        "probability": columns["probability"],
    }
    return Classification(summary, by_language, items, head)
