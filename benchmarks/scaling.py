"""How time and memory of encoding and of training grow with the data: 1, 4 and 16 times as many lines.

    python benchmarks/scaling.py MODEL --data ../shared/data/ntrex

Each row is a process of its own. Encoding: so many different lines, as passages. Training: the model with its table
frozen, a fixed number of steps of `xy` batches of 16 lines, out of so many. Memory is the peak of the process; `start`
is that of one that has loaded the model alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPE = """data: .
encoder: {{kind: pretrained, model: {model}, freeze: embeddings, query_length: 64, passage_length: 64}}
sources: [{{format: bitext, path: lines}}]
batches: {{kind: xy, size: 16, comparable: false}}
train: {{steps: {steps}, lr: 2.0e-5, log_every: 0}}
"""


def lines_of(data: Path, number: int) -> dict[str, list[str]]:
    """Language -> its first lines; `number` in all, the same of each language."""
    files = sorted(data.glob("*.txt"))
    each = -(-number // len(files))
    return {file.stem: file.read_text(encoding="utf-8").splitlines()[:each] for file in files}


def encoding(model: Path, lines: dict[str, list[str]]) -> float:
    """Seconds to encode them."""
    from triglot.encoder import load_encoder

    encoder = load_encoder(model)
    texts = [line for column in lines.values() for line in column]
    began = time.perf_counter()
    encoder.encode(texts, side="passage")
    return time.perf_counter() - began


def training(model: Path, lines: dict[str, list[str]], steps: int) -> float:
    """Seconds of the steps, and of what is done before the first."""
    from triglot.recipe import load_recipe
    from triglot.study.run import run

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "lines").mkdir()
        for code, column in lines.items():
            (place / "lines" / f"{code}.txt").write_text("".join(f"{line}\n" for line in column), encoding="utf-8")
        (place / "recipe.yaml").write_text(RECIPE.format(model=model, steps=steps), encoding="utf-8")
        began = time.perf_counter()
        run(load_recipe(str(place / "recipe.yaml"), [f"data={place}"]), place / "out")
        return time.perf_counter() - began


def one(task: str, model: Path, data: Path, number: int, steps: int) -> None:
    """Do one row and print its seconds and peak as JSON."""
    lines = lines_of(data, number)
    seconds = 0.0
    if task == "start":
        from triglot.encoder import load_encoder

        load_encoder(model).encode(["a"], side="passage")
    else:
        seconds = encoding(model, lines) if task == "encoding" else training(model, lines, steps)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform != "darwin" else 1 << 30)
    print(json.dumps({"texts": sum(map(len, lines.values())), "seconds": seconds, "peak": peak}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ntrex"), help="line-aligned CODE.txt files")
    parser.add_argument("--lines", type=int, default=1100, help="of the first row")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one, args.model, args.data, args.lines, args.steps)
        return
    print("| | lines | seconds | peak of memory, GiB |\n|---|---:|---:|---:|")
    for task, factors in (("start", [1]), ("encoding", [1, 4, 16]), ("training", [1, 4, 16])):
        for factor in factors:
            words = [str(args.model), "--data", str(args.data), "--lines", str(args.lines * factor)]
            command = [sys.executable, __file__, *words, "--steps", str(args.steps), "--one", task]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            row = json.loads(done.stdout.splitlines()[-1])
            print(f"| {task} | {row['texts']:,} | {row['seconds']:.1f} | {row['peak']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
