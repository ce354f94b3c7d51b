"""Fine-tuning a pretrained encoder, against SentenceTransformerTrainer with MultipleNegativesRankingLoss.

    python benchmarks/finetune.py MODEL --data ../shared/data/squad-train

One epoch of the same pairs, batch size, learning rate and schedule, temperature .05, AdamW, texts of at most 128
tokens (none is cut); runs of both sides alternate. Told is the median of pairs a second while training (loading and
saving left out; making tokens counted), its ratio to the trainer's defaults in the same
precision, and the share of held-out questions that find their paragraph first among the held-out ones. On a machine
with other work `--clock cpu` counts the time of this process, with `--threads 1`.

- `trainer`: its defaults (dropout as the model says).
- `trainer, best`: no dropout, the table of token embeddings frozen by hand.
- `triglot`: our defaults.
- `triglot, table frozen`: `encoder.freeze: embeddings`, like with like for `best`.
- `triglot, half frozen`: the table and the lower half of the layers. In one epoch each text is shown once, so
  outputs of frozen layers are not kept (they are from one and a half times on); saved is the way back through them.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from triglot.corpus.formats.registry import read_training
from triglot.encoder import load_encoder
from triglot.encoder.precision import has_bf16_units
from triglot.files import read_json
from triglot.recipe import load_recipe
from triglot.study.run import run
from triglot.train import loop

LENGTH = 128
RECIPE = """
encoder: {{kind: pretrained, model: {model}, query_length: {length}, passage_length: {length}}}
sources: [{{format: pairs, path: pairs.jsonl}}]
batches: {{kind: xx, size: {batch}, comparable: false}}
loss: {{temperature: 0.05}}
train: {{steps: {steps}, lr: 2.0e-5, weight_decay: 0.0, clip: 1.0, warmup: 0.1, checkpoint_every: 0, log_every: 0}}
"""


@dataclass(frozen=True)
class Task:
    """What all sides get: a model, pairs to train on, others to ask, and sizes."""

    model: Path
    pairs: list[tuple[str, str]]
    held_out: list[tuple[str, str]]
    batch: int
    place: Path
    clock: Callable[[], float]

    @property
    def steps(self) -> int:
        """Of one epoch."""
        return len(self.pairs) // self.batch


def short_pairs(data: Path, model: Path, number: int) -> list[tuple[str, str]]:
    """The first questions with their paragraphs, one a paragraph, of at most `LENGTH` tokens."""
    corpus, _ = read_training(data, unit="paragraph")
    encoder: Any = load_encoder(model)
    seen, found = set(), []
    for row in range(len(corpus)):
        question, paragraph = (
            corpus.texts[int(corpus.text_of[group, corpus.text_of[group].argmax()])].as_py()
            for group in (int(corpus.query[row]), int(corpus.passage[row]))
        )
        if paragraph in seen:
            continue
        seen.add(paragraph)
        if len(encoder.tokenize([paragraph], side="passage")[0]) < LENGTH:
            found.append((question, paragraph))
        if len(found) == number:
            break
    return found


def found_first(model: Path, held_out: list[tuple[str, str]]) -> float:
    """Share of the questions whose own paragraph is the nearest."""
    encoder = load_encoder(model)
    queries, passages = (
        encoder.encode(list(texts), side=side)
        for side, texts in zip(("query", "passage"), zip(*held_out, strict=True), strict=True)
    )
    return float(((queries @ passages.T).argmax(axis=1) == np.arange(len(held_out))).mean())


def trainer(task: Task, precision: str, best: bool) -> tuple[float, Path]:
    """Seconds of `SentenceTransformerTrainer`, and the model."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    more: dict[str, Any] = {}
    if best:
        more = {"config_kwargs": {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}}
    model = SentenceTransformer(str(task.model), device="cpu", local_files_only=True, **more)
    model.max_seq_length = LENGTH
    if best:
        model[0].auto_model.embeddings.requires_grad_(False)
    dataset = Dataset.from_dict(
        dict(zip(("anchor", "positive"), map(list, zip(*task.pairs, strict=True)), strict=True))
    )
    out = task.place / "trainer"
    arguments = SentenceTransformerTrainingArguments(
        str(out),
        num_train_epochs=1,
        per_device_train_batch_size=task.batch,
        learning_rate=2e-5,
        warmup_steps=0.1,
        max_grad_norm=1.0,
        prompts={"anchor": model.prompts["query"], "positive": model.prompts["document"]},
        use_cpu=True,
        bf16=precision == "bf16",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_drop_last=True,
        logging_strategy="no",
    )
    loss = MultipleNegativesRankingLoss(model, scale=20.0)
    training = SentenceTransformerTrainer(model, arguments, train_dataset=dataset, loss=loss)
    begun = task.clock()
    training.train()
    taken = task.clock() - begun
    model.save(str(out / "model"), create_model_card=False)
    return taken, out / "model"


def ours(task: Task, precision: str, settings: list[str]) -> tuple[float, Path]:
    """Seconds of our loop, and the model."""
    out = task.place / "-".join(["ours", precision, *settings]).replace(".", "_").replace("=", "_")
    recipe = task.place / "pairs.yaml"
    recipe.write_text(
        RECIPE.format(model=task.model, length=LENGTH, batch=task.batch, steps=task.steps), encoding="utf-8"
    )
    number = sum(path.name.startswith(out.name) for path in task.place.iterdir())
    out = out.with_name(f"{out.name}-{number}")
    run(load_recipe(str(recipe), [f"data={task.place}", f"train.precision={precision}", *settings]), out)
    return float(read_json(out / "summary.json")["stages"]["fine-tuning"]["seconds"]), out / "model"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/squad-train"))
    parser.add_argument("--pairs", type=int, default=128)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--held-out", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: torch's default")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--only", default="", help="a regular expression: only ways with such names, beside the first")
    parser.add_argument(
        "--precision", default="", help="fp32, bf16 or both, comma-separated; bf16 only where there are units"
    )
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    # What the loop says of its seconds goes by the same clock.
    loop.time = SimpleNamespace(perf_counter=clock)  # type: ignore[assignment]
    known = ["fp32", "bf16"] if has_bf16_units("cpu") else ["fp32"]
    precisions = args.precision.split(",") if args.precision else known
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        pairs = short_pairs(args.data, args.model, args.pairs + args.held_out)
        task = Task(args.model, pairs[: args.pairs], pairs[args.pairs :], args.batch, place, clock)
        lines = [
            {
                "query": question,
                "query_lang": "en",
                "positive": paragraph,
                "passage_lang": "en",
                "passage_group": str(n),
            }
            for n, (question, paragraph) in enumerate(task.pairs)
        ]
        (place / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        half = f"encoder.freeze={len(_layers(args.model)) // 2}"
        ways = {
            "trainer": lambda precision: trainer(task, precision, best=False),
            "trainer, best": lambda precision: trainer(task, precision, best=True),
            "triglot": lambda precision: ours(task, precision, []),
            "triglot, table frozen": lambda precision: ours(task, precision, ["encoder.freeze=embeddings"]),
            "triglot, half frozen": lambda precision: ours(task, precision, [half]),
        }
        ways = {way: how for way, how in ways.items() if way == "trainer" or re.search(args.only, way)}
        print(f"untouched: {found_first(args.model, task.held_out):.3f} found first", flush=True)
        print(f"{len(task.pairs)} pairs, {args.batch} a step, {torch.get_num_threads()} threads, {args.clock} time")
        print("| precision | | pairs/s | ratio to the trainer | found first |\n|---|---|---:|---:|---:|")
        for precision in precisions:
            seconds: dict[str, list[float]] = {way: [] for way in ways}
            quality = {}
            for _ in range(args.rounds):
                for way, function in ways.items():
                    took, model = function(precision)
                    seconds[way].append(took)
                    quality.setdefault(way, found_first(model, task.held_out))
            for way, took in seconds.items():
                ratio = statistics.median(a / b for a, b in zip(seconds["trainer"], took, strict=True))
                speed = len(task.pairs) / statistics.median(took)
                print(f"| {precision} | {way} | {speed:.1f} | {ratio:.2f} | {quality[way]:.3f} |", flush=True)


def _layers(model: Path) -> range:
    return range(int(read_json(model / "config.json")["num_hidden_layers"]))


if __name__ == "__main__":
    main()
