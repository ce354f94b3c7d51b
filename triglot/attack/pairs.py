"""Attacks on classification: the second text of a pair (hypothesis, comment) is changed until the head tells another
label.

A text is searched for once, beside the first text in its own language (where there is none, the first that there is),
and then judged beside the first text in every language: the generalised figures tell how far an attack carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from triglot.attack.measure import cosines, write_attacked
from triglot.attack.search import Found
from triglot.attack.searches import SEARCHES
from triglot.attack.settings import AttackSettings
from triglot.classify.heads import Head
from triglot.classify.judge import SETTINGS, Classification, Trial, copies_of, tried
from triglot.classify.tasks import Task
from triglot.encoder.once import encode_once
from triglot.encoder.protocol import Encoder
from triglot.files import InputError


class PairTarget:
    """A model and a head under attack.

    The margin of a text is the log-probability of the true label less the highest of another: below 0 the head is
    wrong.

    Args:
        encoder: with `encode(texts, side=...)`.
        trial: the unchanged task, with its vectors and its head.
    """

    def __init__(self, encoder: Encoder, trial: Trial):
        test, languages = trial.task.test, len(trial.task.test.languages)
        self.encoder, self.head = encoder, trial.head
        self.side = (trial.task.settings.sides or trial.task.sides)[1]
        own = trial.pairs[:, 0] == trial.pairs[:, 1]
        key = trial.item * languages + trial.pairs[:, 1]
        order = np.lexsort((~own, key))  # a pair in one language stands first
        _, first, place = np.unique(key[order], return_index=True, return_inverse=True)
        self.unit = np.empty(len(key), np.int64)  # (rows,) the text of each row, among those that are attacked
        self.unit[order] = place
        self.row = order[first]  # (texts,) the row that each is searched in
        item, lang = trial.item[self.row], trial.pairs[self.row, 1]
        self.item, self.lang = item, lang
        self.target = test.target[item].astype(np.int64)
        self.first = trial.first[trial.rows[self.row, 0]]
        self.queries = trial.second[trial.rows[self.row, 1]]
        self.texts = [test.second[at] for at in test.second_at[lang, item].tolist()]
        self.langs = [test.languages[code] for code in lang.tolist()]

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors, each different text encoded once."""
        return encode_once(self.encoder, texts, self.side, keep=False)

    def margins(self, vectors: np.ndarray, query: np.ndarray) -> np.ndarray:
        """(n,) margin of each vector as a form of the text with that index."""
        scores = self.head.scores(self.first, vectors, np.column_stack([query, np.arange(len(query))]))
        true = scores[np.arange(len(query)), self.target[query]]
        scores[np.arange(len(query)), self.target[query]] = -np.inf
        return true - scores.max(1)

    def graph(self, vectors: Any, query: np.ndarray) -> Any:
        """As `margins`, of torch tensors, with a gradient."""
        import torch

        scores = _logits(self.head, torch.from_numpy(self.first[query]).to(vectors.device), vectors)
        true = (
            torch.nn.functional.one_hot(torch.from_numpy(self.target[query]), scores.shape[1]).bool().to(vectors.device)
        )
        return scores[true] - scores.masked_fill(true, -torch.inf).amax(1)


def _logits(head: Head, u: Any, v: Any) -> Any:
    """(n, classes) of torch tensors."""
    import torch

    layer = torch.cat([u, v, (u - v).abs(), u * v], 1).double()
    for number, (weight, bias) in enumerate(zip(head.weights, head.biases, strict=True)):
        layer = layer if number == 0 else layer.tanh()
        layer = layer @ torch.from_numpy(weight).to(layer.device) + torch.from_numpy(bias).to(layer.device)
    return layer


@dataclass(frozen=True)
class AttackedPairs:
    """A classification after one attack.

    Attributes:
        attack: its settings.
        classification: of the changed texts; its summary has a part `robustness`.
        target: what was attacked.
        texts: the changed second texts.
        before, after: (texts,) margins.
        calls: (texts,) texts that the model encoded.
    """

    attack: AttackSettings
    classification: Classification
    target: PairTarget
    texts: list[str]
    before: np.ndarray
    after: np.ndarray
    calls: np.ndarray

    def write_texts(self, path: Path, ids: Sequence[str]) -> None:
        """JSON lines: item_id, lang, clean, attacked, margin before and after, calls."""
        about = [
            {"item_id": ids[self.target.item[i]], "lang": self.target.langs[i], "clean": self.target.texts[i]}
            for i in range(len(self.texts))
        ]
        write_attacked(path, about, self.texts, self.before, self.after, self.calls)


def attack_pairs(
    encoder: Encoder,
    task: Task,
    attacks: Sequence[AttackSettings],
    *,
    lexicon_of: Any = None,
    progress: bool = False,
) -> tuple[Classification, list[AttackedPairs]]:
    """Attack the second texts of a classification, one attack after the other, each searched against this model.

    Args:
        encoder: with `encode(texts, side=...)`; for `search: embedding` one of Triglot's own.
        task: first texts, labels and head stay as they are; the head was trained on unchanged texts.
        attacks: what to do.
        lexicon_of: half (0, 1 or None) -> `Lexicon`; needed where an attack goes by word lists.
        progress: a bar for the encoding.

    Returns:
        the clean classification, and one `AttackedPairs` an attack.

    Raises:
        InputError: two attacks of one name, no word lists where they are needed, or an encoder without gradients.
    """
    labels = [attack.label for attack in attacks]
    for label in labels:
        if labels.count(label) > 1:
            raise InputError(f"attacks: two are called {label!r}; give one of them a `name`")
    for attack in attacks:
        if attack.needs_lists and lexicon_of is None:
            raise InputError(f"attack {attack.label!r}: lists: is missing; {', '.join(attack.kinds)} go by word lists")
    trial = tried(encoder, task, progress=progress)
    clean, target = trial.judged(), PairTarget(encoder, trial)
    everyone = np.arange(len(target.texts))
    before = target.margins(target.queries, everyone)
    done = []
    for attack in attacks:
        found = SEARCHES[attack.search].find(target, attack, lexicon_of(attack.half) if attack.needs_lists else None)
        vectors = target.encode(found.texts) if found.vectors is None else found.vectors
        changed = np.array([a != b for a, b in zip(found.texts, target.texts, strict=True)])
        if found.vectors is not None:
            changed = np.ones(len(changed), bool)
        after = trial.judged(vectors, target.unit, _votes(target, trial, found, vectors))
        measured = {
            "drop": _drop(clean, after),
            "success": success(clean, after),
            "drift": float((1 - cosines(target.queries, vectors)).mean()),
            "changed": float(changed.mean()),
            "calls": float(found.calls.mean()),
        }
        after = replace(after, summary=after.summary | {"robustness": measured})
        done.append(
            AttackedPairs(attack, after, target, found.texts, before, target.margins(vectors, everyone), found.calls)
        )
    return clean, done


def _votes(target: PairTarget, trial: Trial, found: Found, vectors: np.ndarray) -> list[np.ndarray]:
    """Vectors of the copies over which a smoothed head votes; a shift without a text is its own copy. The search itself
    asks for no votes."""
    numbers = range(len(trial.votes))
    if found.vectors is not None:
        return [vectors for _ in numbers]
    return [target.encode(copies_of(trial.task, found.texts, target.langs, f"vote {n} 1")) for n in numbers]


def _drop(clean: Classification, attacked: Classification) -> dict[str, float]:
    """Share of the accuracy that is lost, a setting."""
    return {
        name: 1 - attacked.summary[name]["accuracy"] / clean.summary[name]["accuracy"]
        for name in SETTINGS
        if name in clean.summary and clean.summary[name]["accuracy"] > 0
    }


def success(clean: Classification, attacked: Classification) -> dict[str, float]:
    """For each setting, the share of the rows told rightly before that are told wrongly after."""
    rates = {}
    for name in SETTINGS:
        right = (clean.items["setting"] == name) & clean.items["correct"]
        if right.any():
            rates[name] = float((~attacked.items["correct"][right]).mean())
    return rates
