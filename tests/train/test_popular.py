"""Training on a log in which one article has half of the clicks: better than the start, on articles that were never
clicked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.train.conftest import WORDS
from triglot.batches import BatchSettings, plan_run
from triglot.corpus.formats import pairs
from triglot.losses import LossSettings
from triglot.train import Feed, TrainSettings, run
from triglot.train.bag import Bag


def found(encoder, articles: np.ndarray) -> float:
    """Share of the German questions whose English article comes first."""
    questions = encoder.encode([" ".join(WORDS["de"][w] for w in article[:2]) for article in articles], side="query")
    passages = encoder.encode([" ".join(WORDS["en"][w] for w in article) for article in articles], side="passage")
    return float(((questions @ passages.T).argmax(axis=1) == np.arange(len(articles))).mean())


def test_a_log_with_one_popular_article_trains_better_than_the_start(tmp_path: Path, make_static) -> None:
    rng = np.random.default_rng(1)
    articles = np.stack([rng.choice(12, 4, replace=False) for _ in range(90)])
    known, held = articles[:60], articles[60:]
    clicked = np.concatenate([np.zeros(300, int), rng.integers(0, 60, 300)])
    lines = []
    for click, number in enumerate(clicked.tolist()):
        words = rng.permutation(known[number])[:2]
        question = " ".join(WORDS["de"][w] for w in words) + f" {click}"
        text = " ".join(WORDS["en"][w] for w in known[number])
        lines.append(
            {
                "query": question,
                "query_lang": "de",
                "positive": text,
                "passage_lang": "en",
                "passage_group": f"{number}",
            }
        )
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    corpus, _ = pairs.read_training(tmp_path / "log.jsonl")
    encoder = make_static()
    model = Bag(encoder)
    feed = Feed(corpus, tokenize=model.tokenize, seed=1)
    plan = plan_run(feed.rows(), BatchSettings(kind="xy", size=32, comparable=False), steps=80, seed=1)
    assert plan.sizes.mean >= 0.95 * 32
    summary = run(
        model,
        feed,
        plan,
        loss=LossSettings(),
        train=TrainSettings(steps=80, lr=0.05, log_every=0),
        seed=1,
        stage="s",
        out=tmp_path / "run",
    )
    assert summary["effective_negatives"] > 0.9 * 31 * 80 * 32 * 0.95
    assert found(model.encoder(), held) >= found(encoder, held) + 0.2
