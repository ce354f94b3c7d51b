"""Training on a click log with popular articles: `python benchmarks/clicktrain.py XQUAD_R_FOLDER [--pretrained MODEL]`.

A help centre in five languages is made of XQuAD-R's paragraphs: every article in English, three quarters of them in
each other language. Half of 5,000 clicks go to a few popular articles (Zipf). A fifth of the articles is held out with
all translations. Told is the mean reciprocal rank of the best version of a held-out article among all articles, for its
questions in all languages, and the mean average precision of all its versions: of the start that nobody touched, of
training with every row once an epoch (what batches are then is told as well), and of training as it is by default.
Differences to the start are means over articles, with 95 % intervals by a bootstrap of them.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from triglot.encoder import load_encoder
from triglot.files import read_json
from triglot.recipe import load_recipe
from triglot.study.data import Data
from triglot.study.run import make_encoder, run

LANGUAGES = ("en", "de", "es", "tr", "ar")
RECIPE = """
encoder: {kind: static, dim: 128, vocab: 8192}
sources: [{format: pairs, path: log.jsonl}]
batches: {kind: xx, size: 128, comparable: false, allow_small: true}
train: {steps: 100, lr: 0.01, threads: 1, checkpoint_every: 0, log_every: 0}
"""
PRETRAINED = """
encoder: {{kind: pretrained, model: {model}, query_length: 40, passage_length: 128}}
sources: [{{format: pairs, path: log.jsonl}}]
batches: {{kind: hybrid, size: 16, comparable: false}}
loss: {{temperature: 0.05}}
train: {{steps: 60, lr: 2.0e-5, weight_decay: 0.01, clip: 1.0, warmup: 0.1, checkpoint_every: 0, log_every: 10}}
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
        line = {
            "query": query,
            "query_lang": lang,
            "positive": versions[key][clicked],
            "passage_lang": clicked,
            "passage_group": key,
        }
        lines.append(line)
    return lines


@dataclass(frozen=True)
class Figures:
    """Of each question: the key of its article, its language, reciprocal rank of the best version, average precision of
    all versions."""

    key: list[str]
    lang: list[str]
    values: np.ndarray  # (questions, 2)


def judged(model: Path, articles: list[dict], asked: dict[str, list[tuple[str, str]]], keys: list[str]) -> Figures:
    """The questions of some articles, searched for among all articles."""
    encoder = load_encoder(model)
    passages = encoder.encode([article["text"] for article in articles], side="passage")
    names = np.array([article["key"] for article in articles])
    values = []
    for key in keys:
        scores = encoder.encode([query for _, query in asked[key]], side="query") @ passages.T
        relevant = names == key
        best = np.where(relevant, scores, -np.inf).max(axis=1)
        hits = relevant[np.argsort(-scores, axis=1, kind="stable")]
        precision = hits.cumsum(axis=1) / np.arange(1, len(names) + 1)
        values.append(
            np.stack(
                [1 / (1 + (scores > best[:, None]).sum(axis=1)), (precision * hits).sum(axis=1) / relevant.sum()],
                axis=1,
            )
        )
    of = [(key, lang) for key in keys for lang, _ in asked[key]]
    return Figures([key for key, _ in of], [lang for _, lang in of], np.concatenate(values))


def tell(name: str, found: Figures, start: Figures | None = None) -> None:
    """Both means, and with a start the differences to it with 95 % intervals over articles, and the means of each
    language."""
    told, of = [], np.array(found.key)
    articles = np.unique(of)
    drawn = np.random.default_rng(0).integers(0, len(articles), (10_000, len(articles)))
    for column, measure in enumerate(("MRR", "mAP")):
        values = found.values[:, column]
        told.append(f"{measure} {values.mean():.3f}")
        if start is not None:
            change = values - start.values[:, column]
            each = np.array([change[of == key].mean() for key in articles])
            told[-1] += " ({:+.3f} [{:+.3f}, {:+.3f}])".format(
                each.mean(), *np.percentile(each[drawn].mean(axis=1), [2.5, 97.5])
            )
    print(f"{name}: {', '.join(told)}", flush=True)
    for lang in LANGUAGES if start is not None else ():
        rows = np.array(found.lang) == lang
        print(
            f"  {lang}: {start.values[rows].mean(axis=0).round(3)} -> {found.values[rows].mean(axis=0).round(3)}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="XQuAD-R")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="of the recipe")
    parser.add_argument("--pretrained", default="", help="fine-tune this encoder in place of a fresh one")
    args = parser.parse_args()
    articles, asked = help_centre(args.folder)
    keys = sorted(asked)
    random.Random(1).shuffle(keys)
    held, known = keys[: len(keys) // 5], keys[len(keys) // 5 :]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        lines = clicks(articles, asked, known)
        (place / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        (place / "log.yaml").write_text(
            PRETRAINED.format(model=args.pretrained) if args.pretrained else RECIPE, encoding="utf-8"
        )
        given = [f"data={place}", *args.settings]
        start = make_encoder(load_recipe(str(place / "log.yaml"), given), place / "start", Data(place))
        before = judged(start, articles, asked, held)
        tell("untouched start", before)
        ways = [("every row once an epoch", ["batches.every_row=true"])] if not args.pretrained else []
        for told, settings in (*ways, ("trained", [])):
            out = place / told.replace(" ", "-")
            run(load_recipe(str(place / "log.yaml"), [*given, *settings]), out)
            rows = read_json(out / "summary.json")["stages"]["fine-tuning"]["batch_rows"]
            tell(
                f"{told}, {rows['mean']} rows a batch, at least {rows['min']}",
                judged(out / "model", articles, asked, held),
                before,
            )


if __name__ == "__main__":
    main()
