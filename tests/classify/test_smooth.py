"""A smoothed head: trained on copies and voting over copies, against plain loops; without word lists it is as ever."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests.classify.test_judge import QUICK, Hashed
from triglot.attack import AttackSettings
from triglot.attack.pairs import attack_pairs
from triglot.augment.smooth import smooth_copies
from triglot.classify.heads import features
from triglot.classify.judge import evaluate_task, tried
from triglot.classify.tasks import ClassifySettings, SmoothSettings, read_task
from triglot.corpus.formats import nli

LISTS = "big\tgroß\nlarge\tgroß\nhouse\tHaus\nhome\tHaus\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "en-de.txt").write_text(LISTS)
    (tmp_path / "xnli").mkdir()
    for code in ("de", "en"):
        house, big = {"de": ("Haus", "groß"), "en": ("house", "big")}[code]
        lines = [
            f"{big} {house} {premise}\t{house} {big} {premise} {number}\t{label}\n"
            for premise in range(12)
            for number, label in enumerate(nli.LABELS)
        ]
        (tmp_path / "xnli" / f"dev-{code}.tsv").write_text("".join(lines))
    return tmp_path


def task_of(folder: Path, **smooth):
    settings = ClassifySettings(head=QUICK, train_languages=("en",), smooth=SmoothSettings(half=None, **smooth))
    return read_task(folder / "xnli", format="nli", name="toy", settings=settings, base=folder)


def copies(task, part, rows, purpose: str) -> list[tuple[str, str]]:
    """Copies of the pairs that rows name, text by text."""
    found = []
    for first, second in rows.tolist():
        pair = []
        for column, (texts, at, number) in enumerate(
            ((part.first, part.first_at, first), (part.second, part.second_at, second))
        ):
            lang = part.languages[int(np.argwhere(at == number)[0][0])]
            options = {"seed": 1, "purpose": f"smooth {purpose} {column}", "numbers": [number]}
            pair += smooth_copies([texts[number]], [lang], task.lexicon, **options)
        found.append(tuple(pair))
    return found


@pytest.mark.parametrize("clean", [False, True])
def test_it_is_trained_on_copies_and_votes(folder: Path, clean: bool) -> None:
    task = task_of(folder, lists="lists", copies=2, clean=clean, votes=3)
    encoder = Hashed()
    found = evaluate_task(encoder, task)
    items, pairs = task.train.draw("xx", ("en",), seed=1)
    rows = task.train.rows(items, pairs)
    shown = [[(task.train.first[a], task.train.second[b]) for a, b in rows.tolist()]] if clean else []
    shown += [copies(task, task.train, rows, f"copy {number}") for number in range(2)]
    texts = [pair for one in shown for pair in one]
    assert len({pair for pair in texts if "large" in " ".join(pair) or "home" in " ".join(pair)}) > 3
    target = np.tile(task.train.target[items], len(shown))

    def vectors(pairs: list[tuple[str, str]]) -> np.ndarray:
        return features(*(encoder.encode(list(column), side="passage") for column in zip(*pairs, strict=True)))

    scaler = StandardScaler().fit(vectors(texts))
    theirs = LogisticRegression(C=1 / len(texts), tol=1e-9, max_iter=5000)
    theirs.fit(scaler.transform(vectors(texts)), target)
    trial = tried(encoder, task)
    tested = task.test.rows(trial.item, trial.pairs)
    voted = [
        theirs.predict_proba(scaler.transform(vectors(copies(task, task.test, tested, f"vote {number}"))))
        for number in range(3)
    ]
    expected = np.mean(voted, axis=0)[np.arange(len(tested)), task.test.target[trial.item]]
    np.testing.assert_allclose(found.items["probability"], expected, atol=1e-3)
    assert any("smoothed: trained on 2 changed copies" in note for note in found.summary["notes"])
    _, (attacked,) = attack_pairs(encoder, task, [AttackSettings(kinds=("casing",), rate=1.0)])
    assert attacked.classification.summary["robustness"]["changed"] == 1


def test_without_lists_nothing_changes(folder: Path) -> None:
    plain = evaluate_task(Hashed(), task_of(folder))
    none = replace(task_of(folder), lexicon=None)
    assert evaluate_task(Hashed(), none).summary == plain.summary
