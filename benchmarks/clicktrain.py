"""Training on a click log with popular articles: `python benchmarks/clicktrain.py XQUAD_R_FOLDER [steps]`.

A help centre in five languages is made of XQuAD-R's paragraphs: every article in English, three quarters of them in each other language.
Half of 5,000 clicks go to a few popular articles (Zipf). A fifth of the articles is held out with all translations. Told is the mean
reciprocal rank of the best version of a held-out article among all articles, for its questions in all languages: of the start that nobody
touched, of training with every row once an epoch (what batches are then is told as well), and of training as it is by default.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
import random
import sys
import tempfile
from pathlib import Path

import numpy as np

from triglot.encoder import load_encoder
from triglot.files import read_json
from triglot.recipe import load_recipe
from triglot.study.data import Data
from triglot.study.run import make_encoder, run

LANGUAGES = ("en", "de", "es", "tr", "ar")
RECIPE = """
encoder: {{kind: static, dim: 128, vocab: 8192}}
sources: [{{format: pairs, path: log.jsonl}}]
batches: {{kind: xx, size: 128, comparable: false, allow_small: true}}
train: {{steps: {steps}, lr: 0.01, threads: 1, checkpoint_every: 0, log_every: 0}}
"""


def help_centre(folder: Path, seed: int = 7) -> tuple[list[dict], dict[str, list[tuple[str, str]]]]:
    """Articles (lang, text, key), and the questions (lang, text) of each key."""
    rng = random.Random(seed)
    documents = {lang: read_json(folder / f"{lang}.json")["data"] for lang in LANGUAGES}
    articles, asked = [], {}
    for a, article in enumerate(documents["en"]):
        for p in range(len(article["paragraphs"])):
            key = f"{a}-{p}"
            for lang in LANGUAGES:
                paragraph = documents[lang][a]["paragraphs"][p]
                if lang == "en" or rng.random() < 0.75:
                    articles.append({"lang": lang, "text": paragraph["context"], "key": key})
                asked.setdefault(key, []).extend((lang, one["question"]) for one in paragraph["qas"])
    return articles, asked


def clicks(articles: list[dict], asked: dict[str, list[tuple[str, str]]], keys: list[str], seed: int = 7) -> list[dict]:
    """5,000 lines of pairs; half of them of popular articles."""
    rng = random.Random(seed)
    versions: dict[str, dict[str, str]] = {}
    for article in articles:
        versions.setdefault(article["key"], {})[article["lang"]] = article["text"]
    lines = []
    for _ in range(5000):
        key = keys[min(int(rng.paretovariate(0.6)) - 1, len(keys) - 1)] if rng.random() < 0.5 else rng.choice(keys)
        lang, query = rng.choice(asked[key])
        clicked = lang if lang in versions[key] and rng.random() < 0.85 else "en"
        line = {"query": query, "query_lang": lang, "positive": versions[key][clicked], "passage_lang": clicked, "passage_group": key}
        lines.append(line)
    return lines


def reciprocal_rank(model: Path, articles: list[dict], asked: dict[str, list[tuple[str, str]]], keys: list[str]) -> float:
    """The mean over the questions of some articles."""
    encoder = load_encoder(model)
    passages = encoder.encode([article["text"] for article in articles], side="passage")
    names = np.array([article["key"] for article in articles])
    found = []
    for key in keys:
        scores = encoder.encode([query for _, query in asked[key]], side="query") @ passages.T
        best = np.where(names == key, scores, -np.inf).max(axis=1)
        found += (1 / (1 + (scores > best[:, None]).sum(axis=1))).tolist()
    return float(np.mean(found))


def main(folder: Path, steps: int) -> None:
    articles, asked = help_centre(folder)
    keys = sorted(asked)
    random.Random(1).shuffle(keys)
    held, known = keys[: len(keys) // 5], keys[len(keys) // 5 :]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        lines = clicks(articles, asked, known)
        (place / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        (place / "log.yaml").write_text(RECIPE.format(steps=steps), encoding="utf-8")
        start = make_encoder(load_recipe(str(place / "log.yaml"), [f"data={place}"]), place / "start", Data(place))
        print(f"untouched start: {reciprocal_rank(start, articles, asked, held):.3f}", flush=True)
        for told, settings in (("every row once an epoch", ["batches.every_row=true"]), ("by default", [])):
            out = place / told.replace(" ", "-")
            run(load_recipe(str(place / "log.yaml"), [f"data={place}", *settings]), out)
            rows = read_json(out / "summary.json")["stages"]["fine-tuning"]["batch_rows"]
            value = reciprocal_rank(out / "model", articles, asked, held)
            print(f"{told}: {value:.3f}; {rows['mean']} rows a batch, at least {rows['min']}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
