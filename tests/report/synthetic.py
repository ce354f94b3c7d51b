"""Run folders with made-up figures whose averages are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from triglot.files import write_json, write_text

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
STRENGTH = {"bm25": 0.0, "alignment": -0.05, "x-x": 0.0, "x-y": 0.05, "hybrid": 0.06}


def write_run(
    folder: Path,
    arm: str,
    seed: int = 1,
    *,
    languages: tuple[str, ...] = LANGUAGES,
    paragraphs: int = 30,
    settings: tuple[str, ...] = ("mono", "cross", "multi"),
    trained: bool = True,
    benchmark: str = "xquad-r",
) -> Path:
    """A finished run: results, figures by language and by query, curves, summary and settings."""
    rng = np.random.default_rng([seed, len(arm), paragraphs])
    queries = paragraphs * 2
    lift = STRENGTH.get(arm, 0.0) + 0.004 * seed
    rows: list[dict] = []
    level = {"mono": 0.66, "cross": 0.25 + 2 * lift, "multi": 0.19 + 2 * lift}
    hard = rng.normal(0, 0.1, paragraphs)
    for q in range(queries):
        for i, lang in enumerate(languages):
            for setting in settings:
                for j, other in enumerate(languages if setting != "multi" else ("",)):
                    if (setting == "mono" and other != lang) or (setting == "cross" and other == lang):
                        continue
                    ap = float(np.clip(level[setting] + hard[q // 2] - 0.02 * abs(i - j) + rng.normal(0, 0.05), 0, 1))
                    bias = (
                        {"rank_distance": 3000 * (0.9 - lift * 4) + 100 * ap, "max_rank": 4000.0}
                        if setting == "multi"
                        else {"rank_distance": None, "max_rank": None}
                    )
                    rows.append(
                        {
                            "query_id": f"{q}-{lang}",
                            "query_lang": lang,
                            "cluster": str(q // 2),
                            "setting": setting,
                            "passage_lang": other,
                            "relevant": 1,
                        }
                        | {
                            "ap": ap,
                            "ap@20": ap * 0.95,
                            "rr": ap,
                            "r@1": float(ap > 0.5),
                            "r@10": min(1.0, ap + 0.2),
                            "hit@1": float(ap > 0.5),
                        }
                        | bias
                    )
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{benchmark}.queries.parquet")
    names = {"map": "ap", "map@20": "ap@20", "mrr": "rr", "r@1": "r@1", "r@10": "r@10", "hit@1": "hit@1"}

    def mean(setting: str, lang: str, other: str, column: str) -> float:
        return float(np.mean([r[column] for r in rows if (r["setting"], r["query_lang"], r["passage_lang"]) == (setting, lang, other)]))

    def cell(setting: str, lang: str, other: str) -> dict[str, float]:
        return {name: mean(setting, lang, other, column) for name, column in names.items()}

    tables: dict = {
        "languages": list(languages),
        "queries": dict.fromkeys(languages, queries),
        "passages": dict.fromkeys(languages, queries),
    }
    macro: dict = {}
    if "mono" in settings:
        tables["mono"] = {lang: cell("mono", lang, lang) for lang in languages}
        macro["mono"] = _average(tables["mono"].values())
    if "cross" in settings:
        tables["cross"] = {lang: {other: cell("cross", lang, other) for other in languages if other != lang} for lang in languages}
        macro["cross"] = _average([x for row in tables["cross"].values() for x in row.values()])
    if "multi" in settings:
        tables["multi"] = {lang: cell("multi", lang, "") for lang in languages}
        tables["bias"] = {lang: {m: mean("multi", lang, "", m) for m in ("rank_distance", "max_rank")} for lang in languages}
        macro["multi"] = _average(tables["multi"].values())
        macro["bias"] = _average(tables["bias"].values())
    write_json(folder / f"{benchmark}.languages.json", tables)
    counts = {"queries": queries * len(languages), "passages": queries * len(languages), "ties": 0}
    entry = macro | {"counts": counts, "notes": ["candidate text: sentence"], "licence": "CC BY-SA 4.0", "candidate_text": "sentence"}
    results = {"schema": 1, "model": arm, "benchmarks": {benchmark: entry}, "versions": {"triglot": "0.1.0", "torch": "2.13.0"}}
    write_json(folder / "results.json", results)
    if trained:
        _write_training(folder, arm, seed, languages, rng)
    return folder


def _average(cells) -> dict[str, float]:
    cells = list(cells)
    return {name: float(np.mean([cell[name] for cell in cells])) for name in cells[0]}


def _write_training(folder: Path, arm: str, seed: int, languages: tuple[str, ...], rng: np.random.Generator) -> None:
    lines = []
    for step in range(50, 1001, 50):
        loss = 3.0 * np.exp(-step / 300) + 0.5 + STRENGTH.get(arm, 0) + rng.normal(0, 0.03)
        lines.append(
            {
                "stage": "fine-tuning",
                "step": step,
                "loss": loss,
                "lr": 0.01,
                "pairs_per_second": 20000.0,
                "seconds": step / 10,
                "grad_norm": 1.0,
            }
        )
        if step % 250 == 0:
            values = {s: {"map": base + 0.1 * step / 1000} for s, base in (("mono", 0.5), ("cross", 0.2), ("multi", 0.15))}
            lines.append({"stage": "fine-tuning", "step": step, "validation": {"mlqa": values}})
    write_text(folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    same = arm in ("x-x", "alignment")
    counts = [["squad-train", a, b, 100] for a in languages for b in languages if (a == b) == same or arm == "hybrid"]
    stage = {"steps": 1000, "texts": 1_024_000, "tokens": 30_000_000, "effective_negatives": 510.2, "seconds": 101.5, "counts": counts}
    summary = {
        "stages": {"fine-tuning": stage},
        "versions": {"triglot": "0.1.0", "torch": "2.13.0"},
        "threads": 2,
        "licences": {"squad-train": "CC BY-SA 4.0", "muse": "CC BY-NC 4.0"},
        "parameters": 33_554_432,
        "warnings": ["<b>not bold</b> & careful"],
    }
    write_json(folder / "summary.json", summary)
    write_text(folder / "recipe.yaml", f"name: synthetic\nseed: {seed}\nbatches:\n  kind: {arm}\n")


def write_study(folder: Path, seeds: tuple[int, ...] = (1, 2, 3), **options) -> Path:
    """A study folder: two baselines, the alignment stage and three arms."""
    write_run(folder / "baselines" / "bm25", "bm25", trained=False, settings=("mono",), **options)
    for arm in ("alignment", "x-x", "x-y", "hybrid"):
        for seed in seeds:
            write_run(folder / "arms" / arm / f"seed-{seed}", arm, seed, **options)
    write_json(
        folder / "study.json",
        {"recipe": "synthetic", "arms": ["x-x", "x-y", "hybrid"], "seeds": list(seeds), "command": "triglot study synthetic --out DIR"},
    )
    return folder
