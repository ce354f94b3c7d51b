"""Run folders made by the evaluator's own writer from made-up embeddings: arms differ in how far language shifts a
vector."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from triglot.batches import BatchSettings
from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.evaluate import evaluate_embeddings, write_results
from triglot.files import write_json, write_text
from triglot.recipe import Recipe, Source, to_yaml

LANGUAGES = ("en", "de", "th")
SHIFT = {"alignment": 0.8, "x-x": 1.5, "x-y": 0.4, "hybrid": 0.35}


def benchmark(name: str = "toy", languages: Sequence[str] = LANGUAGES, groups: int = 24) -> RetrievalSet:
    """`groups` questions and their answers in every language, two of a cluster."""
    count = len(languages)
    group = np.repeat(np.arange(groups), count).astype(np.int32)
    lang = np.tile(np.arange(count), groups).astype(np.int16)
    ids = [f"{g}-{languages[code]}" for g, code in zip(group, lang, strict=True)]
    texts = Texts(ids, [f"text {i}" for i in ids], lang, group, group // 2)
    pairs = [(q, p, 1) for q in range(len(ids)) for p in range(len(ids)) if group[q] == group[p]]
    return RetrievalSet(
        name, tuple(languages), texts, texts, np.array(pairs, np.int64), candidate_text="sentence", licence="CC0 & more"
    )


def embeddings(arm: str, seed: int, found: RetrievalSet) -> tuple[np.ndarray, np.ndarray]:
    """Queries and passages near their group's direction, moved by their language."""
    rng = np.random.default_rng([seed, len(arm)])
    meaning = np.random.default_rng(0).normal(size=(int(found.queries.group.max()) + 1, 16))
    language = np.random.default_rng(1).normal(size=(len(found.languages), 16))

    def one(texts: Texts) -> np.ndarray:
        vectors = (
            meaning[texts.group] + SHIFT.get(arm, 1.0) * language[texts.lang] + rng.normal(0, 0.6, (len(texts), 16))
        )
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    return one(found.queries), one(found.passages)


def write_run(
    folder: Path,
    arm: str,
    seed: int = 1,
    *,
    trained: bool = True,
    settings: Sequence[str] = ("mono", "cross", "multi"),
    **options,
) -> Path:
    """A finished run: results, figures by language and by query, curves, summary and settings."""
    found = benchmark(**options)
    queries, passages = embeddings(arm, seed, found)
    write_results(
        folder, {found.name: evaluate_embeddings(queries, passages, found, settings=settings, threads=1)}, model=arm
    )
    if trained:
        _write_training(folder, arm, seed, found.languages)
    return folder


def _write_training(folder: Path, arm: str, seed: int, languages: Sequence[str]) -> None:
    lines = []
    for step in range(50, 1001, 50):
        loss = 3.0 * float(np.exp(-step / 300)) + 0.5 + 0.01 * seed
        lines.append(
            {
                "stage": "fine-tuning",
                "step": step,
                "loss": loss,
                "lr": 0.01,
                "pairs_per_second": 2e4,
                "seconds": step / 10,
                "grad_norm": 1.0,
            }
        )
        if step % 250 == 0:
            values = {
                s: {"map": base + SHIFT[arm] * step / 10000}
                for s, base in (("mono", 0.5), ("cross", 0.2), ("multi", 0.15))
            }
            lines.append({"stage": "fine-tuning", "step": step, "validation": {"valid": values}})
    write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    same = arm in ("x-x", "alignment")
    counts = [["qa", a, b, 100] for a in languages for b in languages if (a == b) == same or arm == "hybrid"]
    pairs = sum(count[-1] for count in counts)
    stage = {
        "steps": 1000,
        "texts": 2 * pairs,
        "tokens": 30_000,
        "effective_negatives": 255 * pairs,
        "seconds": 101.5,
        "counts": counts,
    }
    summary = {
        "stages": {"fine-tuning": stage},
        "versions": {"triglot": "0.1.0"},
        "threads": 2,
        "licences": {"qa": "CC BY-SA 4.0"},
        "parameters": 33_554_432,
        "warnings": ["<b>not bold</b> & careful"],
    }
    write_json(folder / "summary.json", summary)
    recipe = Recipe(name="synthetic", seed=seed, sources=(Source("pairs", "qa"),))
    kind = {"x-x": "xx", "x-y": "xy"}.get(arm, "hybrid")
    write_text(folder / "recipe.yaml", to_yaml(replace(recipe, batches=BatchSettings(kind=kind))))


def write_study(folder: Path, seeds: Sequence[int] = (1, 2, 3), **options) -> Path:
    """A study folder: a baseline, the alignment stage and three arms."""
    write_run(folder / "baselines" / "bm25", "bm25", trained=False, settings=("mono",), **options)
    for arm in ("alignment", "x-x", "x-y", "hybrid"):
        for seed in seeds:
            write_run(folder / "arms" / arm / f"seed-{seed}", arm, seed, **options)
    write_json(folder / "study.json", {"recipe": "synthetic", "arms": ["x-x", "x-y", "hybrid"], "seeds": list(seeds)})
    return folder


def write_attacked(folder: Path) -> Path:
    """Three seeds of two arms; noise on the queries costs `frail` more."""
    found = benchmark(groups=40)
    for seed in (1, 2, 3):
        queries, passages = embeddings("x-y", seed, found)
        rng = np.random.default_rng(seed)
        for arm, noise in (("frail", 0.35), ("firm", 0.1)):
            moved = (queries + rng.normal(0, noise, queries.shape)).astype(np.float32)
            moved /= np.linalg.norm(moved, axis=1, keepdims=True)
            clean, hurt = (evaluate_embeddings(one, passages, found, threads=1) for one in (queries, moved))
            hurt = replace(hurt, summary={**hurt.summary, "robustness": {"success@10": {"mono": noise}}})
            run = folder / "arms" / arm / f"seed-{seed}"
            write_results(run, {"toy": clean, "toy+typos": hurt}, model=arm)
            write_text(run / "recipe.yaml", "margin: 0.005\n")
    return folder
