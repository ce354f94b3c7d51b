"""Attacked classification: margins and gradients against plain loops, what each search does to hypotheses, and the
figures by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.attack.conftest import Letters
from tests.words import WORDS
from triglot.attack import AttackSettings, Lexicon
from triglot.attack.embedding import shift_queries
from triglot.attack.pairs import PairTarget, attack_pairs
from triglot.classify.heads import HeadSettings
from triglot.classify.judge import evaluate_task, tried
from triglot.classify.tasks import ClassifySettings, Task, read_task
from triglot.corpus.formats import nli
from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.tokenizer import word_counts
from triglot.files import InputError
from triglot.study.attacks import attacked_tasks

# Two words for each: words have synonyms through the other language.
PAIRS = {
    ("en", "de"): ([*WORDS["en"], *WORDS["en"]], [*WORDS["de"], *(f"{word}chen" for word in WORDS["de"])]),
    ("de", "en"): ([*WORDS["de"], *WORDS["de"]], [*WORDS["en"], *(f"{word}let" for word in WORDS["en"])]),
}
LEXICON = Lexicon(PAIRS)
SETTINGS = ClassifySettings(head=HeadSettings(penalties=(0.01,)))


@pytest.fixture(scope="module")
def task(tmp_path_factory) -> Task:
    """The label can be told: a hypothesis repeats a word of its premise, has another, or a third one."""
    folder = tmp_path_factory.mktemp("nli")
    for code in ("de", "en"):
        words, lines = WORDS[code], []
        for premise in range(24):
            a, b = premise % 12, (premise * 5 + 3) % 12
            for number, label in enumerate(nli.LABELS):
                told = words[(a, b, (a + 6) % 12)[number]]
                lines.append(f"{words[a]} {words[b]} {premise}\t{told} {words[a]}\t{label}\n")
        (folder / f"dev-{code}.tsv").write_text("".join(lines))
    return read_task(folder, format="nli", name="toy", settings=SETTINGS)


def naive_margin(head, u: np.ndarray, v: np.ndarray, label: int) -> float:
    inputs = [*u, *v, *(abs(a - b) for a, b in zip(u, v, strict=True)), *(a * b for a, b in zip(u, v, strict=True))]
    logits = [
        sum(float(x) * float(w) for x, w in zip(inputs, column, strict=True)) + float(bias)
        for column, bias in zip(head.weights[0].T, head.biases[0], strict=True)
    ]
    return logits[label] - max(one for number, one in enumerate(logits) if number != label)


def test_margins_are_those_of_a_loop(task: Task) -> None:
    trial = tried(Letters(), task)
    target = PairTarget(Letters(), trial)
    assert len(target.texts) == 2 * len(task.test)  # each item in each language, once
    test = task.test
    for i in (0, 7, len(target.texts) - 1):
        item, lang = target.item[i], target.lang[i]
        assert target.texts[i] == test.second[test.second_at[lang, item]]
        premise = test.first[test.first_at[lang, item]]
        u, v = Letters().encode([premise, target.texts[i]], side="passage").astype(np.float64)
        expected = naive_margin(trial.head, u, v, int(test.target[item]))
        assert target.margins(target.queries, np.arange(len(target.texts)))[i] == pytest.approx(expected, abs=1e-6)
        vector = torch.from_numpy(target.queries[[i]]).requires_grad_()
        margin = target.graph(vector, np.array([i]))
        assert float(margin.detach()) == pytest.approx(expected, abs=1e-5)
        (gradient,) = torch.autograd.grad(margin.sum(), vector)
        for entry in range(0, target.queries.shape[1], 17):
            moved = [v + sign * 1e-4 * np.eye(len(v))[entry] for sign in (1, -1)]
            up, down = (naive_margin(trial.head, u, one, int(test.target[item])) for one in moved)
            assert float(gradient[0, entry]) == pytest.approx((up - down) / 2e-4, rel=1e-2, abs=1e-3)


ATTACKS = [
    AttackSettings(name="typos", kinds=("substitute",), rate=1.0),
    AttackSettings(name="worst", kinds=("substitute",), rate=1.0, search="worst", tries=6),
    AttackSettings(name="switch", kinds=("codeswitch",), rate=1.0, half=None),
    AttackSettings(name="synonym", kinds=("synonym",), rate=1.0, half=None),
    AttackSettings(name="greedy", kinds=("synonym", "codeswitch"), rate=1.0, search="greedy", half=None),
    AttackSettings(name="beam", kinds=("synonym",), rate=1.0, search="beam", half=None),
]


def test_the_figures_by_hand(task: Task, tmp_path: Path) -> None:
    encoder = Letters()
    clean, done = attack_pairs(encoder, task, ATTACKS, lexicon_of=lambda half: LEXICON)
    assert clean.summary == evaluate_task(encoder, task).summary
    by_name = {one.attack.label: one for one in done}
    test, target = task.test, done[0].target
    at = {(int(item), int(lang)): i for i, (item, lang) in enumerate(zip(target.item, target.lang, strict=True))}
    for one in done:
        right = {"classification": [], "generalised": []}
        flipped = {"classification": [], "generalised": []}
        for item in range(len(test)):
            for a in range(2):
                for b in range(2):
                    first, old = test.first[test.first_at[a, item]], test.second[test.second_at[b, item]]
                    u, v, before = encoder.encode([first, one.texts[at[item, b]], old], side="passage").astype(float)
                    margins = [naive_margin(clean.head, u, w, int(test.target[item])) for w in (v, before)]
                    setting = "classification" if a == b else "generalised"
                    right[setting].append(margins[0] > 0)
                    if margins[1] > 0:
                        flipped[setting].append(margins[0] <= 0)
        told = one.classification.summary
        for setting in right:
            assert told[setting]["accuracy"] == pytest.approx(np.mean(right[setting]))
            assert told["robustness"]["success"][setting] == pytest.approx(np.mean(flipped[setting]))
            drop = 1 - told[setting]["accuracy"] / clean.summary[setting]["accuracy"]
            assert told["robustness"]["drop"][setting] == pytest.approx(drop)
        assert "head" not in one.classification.parts
    assert by_name["worst"].after.mean() < by_name["typos"].after.mean()
    for name in ("worst", "greedy", "beam"):
        assert by_name[name].classification.summary["robustness"]["calls"] > 0
    assert (by_name["greedy"].after <= by_name["greedy"].before + 1e-9).all()
    assert (by_name["beam"].after <= by_name["beam"].before + 1e-9).all()
    for before, after, lang in zip(target.texts, by_name["synonym"].texts, target.langs, strict=True):
        for old, new in zip(before.split(), after.split(), strict=True):
            assert new == old or new in LEXICON.synonyms(old, lang)
        assert before != after


def test_room_in_the_embeddings_does_harm(task: Task) -> None:
    words = word_counts({code: [" ".join(WORDS[code])] * 3 for code in ("de", "en")})
    for settings in (
        {"dim": 24, "vocab": 200},
        {"kind": "transformer", "dim": 24, "vocab": 200, "layers": 1, "heads": 2},
    ):
        model = init_encoder(EncoderSettings(**settings), words, seed=1)
        target = PairTarget(model, tried(model, task))
        everyone = np.arange(len(target.texts))
        margins = [target.margins(target.queries, everyone).mean()]
        for eps in (1e-9, 0.1, 0.5):
            vectors = shift_queries(target, AttackSettings(search="embedding", eps=eps))
            margins.append(target.margins(vectors, everyone).mean())
        assert margins[1] == pytest.approx(margins[0], abs=1e-3)
        assert margins[2:] == sorted(margins[2:], reverse=True)
        assert margins[2] < margins[1]


def test_written_and_refused(task: Task, tmp_path: Path) -> None:
    found = attacked_tasks(Letters(), [task], ATTACKS[3:4], tmp_path, lexicon_of=lambda half: LEXICON)
    assert list(found) == ["toy", "toy+synonym"]
    lines = [json.loads(line) for line in (tmp_path / "attacks" / "toy+synonym.jsonl").read_text().splitlines()]
    assert {line["lang"] for line in lines} == {"de", "en"}
    assert all(line["clean"] != line["attacked"] for line in lines)
    with pytest.raises(InputError, match="lists: is missing"):
        attack_pairs(Letters(), task, ATTACKS[3:4])
    with pytest.raises(InputError, match="two are called 'typos'"):
        attack_pairs(Letters(), task, [ATTACKS[0], ATTACKS[0]])
