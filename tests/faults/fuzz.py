"""Damaged inputs through every command: no traceback, no hang, nothing half-written.

python -m tests.faults.fuzz --trials 2000          # all commands, a table of what happened
python -m tests.faults.fuzz --only train --seed 7 --trials 200 --inputs /tmp/inputs
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tests.faults import inputs
from tests.faults.mutations import mutate
from tests.killing import Done, Server

TIMEOUT, MEMORY = 30.0, 4 << 30


@dataclass(frozen=True)
class Case:
    """A command and what is damaged before it runs.

    Attributes:
        name: of the case.
        words: the command; paths are relative to the folder of inputs, and OUT is what it writes.
        damage: files, or folders of which one file is taken.
        grows: an input that the command adds whole lines to, and may cut half a line off.
    """

    name: str
    words: str
    damage: tuple[str, ...]
    grows: str = ""


CASES = (
    Case("evaluate squad", "evaluate model --on x=squad --out OUT", ("squad",)),
    Case("evaluate beir", "evaluate model --on x=beir --out OUT", ("beir",)),
    Case("evaluate mteb", "evaluate model --on x=mteb --out OUT", ("mteb",)),
    Case("evaluate trec", "evaluate model --on x=trec --save-run --out OUT", ("trec",)),
    Case("evaluate bitext", "evaluate bm25 --on x=bitext --out OUT", ("bitext",)),
    Case("evaluate nli", "evaluate model --on x=nli --out OUT", ("nli",)),
    Case("evaluate stance", "evaluate model --on x=stance --out OUT", ("stance",)),
    Case("evaluate run", "evaluate some.run --on x=beir --out OUT", ("some.run",)),
    Case("evaluate vectors", "evaluate vectors --on x=beir --out OUT", ("vectors",)),
    Case("evaluate arrow", "evaluate arrow --on x=beir --out OUT", ("arrow",)),
    Case("evaluate static", "evaluate model --on x=beir --out OUT", ("model",)),
    Case("evaluate transformer", "evaluate small --on x=beir --out OUT", ("small",)),
    Case("evaluate translated", "evaluate bm25-translated --lists muse --on x=squad --out OUT", ("muse",)),
    Case("evaluate debiased", "evaluate debiased --on x=beir --out OUT", ("debiased",)),
    Case("encode debiased", "encode debiased passages.tsv --out OUT.npy", ("debiased",)),
    Case("encode jsonl", "encode model passages.jsonl --out OUT.npy", ("passages.jsonl",)),
    Case("encode tsv", "encode model passages.tsv --out OUT.npy", ("passages.tsv",)),
    Case("encode txt", "encode model passages.txt --out OUT.npy", ("passages.txt",)),
    Case("encode csv", "encode model articles.csv --out OUT.npy", ("articles.csv",)),
    Case("encode static", "encode model passages.tsv --out OUT.npy", ("model",)),
    Case("encode transformer", "encode small passages.tsv --out OUT.npy", ("small",)),
    Case("search", "search model passages.jsonl river", ("passages.jsonl", "model")),
    Case(
        "inspect",
        "data inspect DAMAGED",
        ("squad", "beir", "trec", "mteb", "pairs.jsonl", "bitext", "nli", "stance", "muse"),
    ),
    Case("init", "init DAMAGED --dim 8 --vocab-size 300 --out OUT", ("squad", "pairs.jsonl", "bitext", "beir")),
    Case(
        "check",
        "check model --on x=squad --parallel lines --texts mixed.csv --out OUT",
        ("squad", "lines", "mixed.csv", "mixed.csv"),
    ),
    Case("check model", "check model --texts mixed.csv --out OUT", ("model",)),
    Case(
        "debias vectors", "debias --vectors v.npy --languages v.txt --method centre --out OUT.npy", ("v.npy", "v.txt")
    ),
    Case(
        "debias by step",
        "debias debiased --vectors v.npy --languages v.txt --out OUT.npy",
        ("debiased", "v.npy", "v.txt"),
    ),
    Case("debias", "debias model bitext --method centre --out OUT", ("bitext", "model")),
    Case("mine", "mine pairs.jsonl --model model negatives=2 depth=10 --out OUT.jsonl", ("pairs.jsonl", "model")),
    Case("mine bm25", "mine squad --model bm25 negatives=2 depth=10 --out OUT.jsonl", ("squad",)),
    Case(
        "augment",
        "augment pairs.jsonl --kind insert,codeswitch --lists muse --factor 1,2 --out OUT",
        ("pairs.jsonl", "muse"),
    ),
    Case(
        "translate",
        "augment few.jsonl --translation-model translator --into fr --num-beams 1 --out OUT",
        ("translator", "few.jsonl"),
    ),
    Case(
        "translate again",
        "augment few.jsonl --translation-model translator --into fr --num-beams 1 --out OUT --cache kept.jsonl",
        ("kept.jsonl",),
        grows="kept.jsonl",
    ),
    Case("lists", "lists bitext --out OUT", ("bitext",)),
    Case("attack", "attack model --on x=squad --attack kinds=insert --out OUT", ("squad", "model")),
    Case("train", "train recipe.yaml --out OUT", ("recipe.yaml", "recipe.yaml", "pairs.jsonl", "squad")),
    Case("resume", "train recipe.yaml --out half", ("half",)),
    Case("again", "train recipe.yaml --out run", ("run",)),
    Case("compare", "compare run other --report OUT --mteb OUT2", ("run", "other")),
    Case("recipe", "recipes show recipe.yaml --resolved", ("recipe.yaml",)),
)


@dataclass(frozen=True)
class Failure:
    """A trial that ended as none may."""

    case: str
    seed: int
    damage: str
    why: str
    output: str


def prepare(folder: Path, server: Server) -> Path:
    """The inputs, made where they are not there yet: data, models, `debiased` by language, translations `kept.jsonl`, a
    finished run `run`, results `other`, and `half`, a run that was killed after its first checkpoint."""
    if (folder / "half").is_dir():
        return folder
    inputs.make(folder)
    first = (
        *(
            "train recipe.yaml --out run",
            "evaluate model --on facts=squad --out other",
            "debias model bitext --method centre --out debiased",
        ),
        "augment few.jsonl --translation-model translator --into fr --num-beams 1 --cache kept.jsonl --out whole",
    )
    for words in first:
        done = server.run(words.split(), cwd=folder)
        assert done.code == 0, done.output
    shutil.rmtree(folder / "whole")
    events = server.run(["train", "recipe.yaml", "--out", "whole"], under=[folder / "whole"], cwd=folder).events
    saved = next(n for n, event in enumerate(events, 1) if "summary.json" in event)
    done = server.run(["train", "recipe.yaml", "--out", "half"], under=[folder / "half"], kill_at=saved, cwd=folder)
    assert list((folder / "half" / "checkpoints").iterdir()), done.output
    shutil.rmtree(folder / "whole")
    return folder


def listing(folder: Path) -> dict[str, bytes]:
    """Every file of a folder and its content; a folder ends in a slash."""
    return {
        str(path.relative_to(folder)) + ("/" if path.is_dir() else ""): b"" if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def wrong(done: Done, case: Case, before: dict[str, bytes], after: dict[str, bytes]) -> str:
    """What is wrong with how a trial ended; empty where nothing is."""
    if done.code is None:
        return "hang"
    if "Traceback (most recent call last)" in done.output:
        return "traceback"
    if done.code not in (0, 1, 2) or (done.code == 1 and "triglot: " not in done.output):
        return f"exit status {done.code}"
    if done.code and not done.output.strip():
        return "no message"
    goes_on = case.name in ("resume", "again")
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    if case.grows in changed and _whole_lines(after.get(case.grows, b"")).startswith(_whole_lines(before[case.grows])):
        changed.remove(case.grows)
    stray = [name for name in changed if name in after and name.endswith((".part", ".old", ".lock"))]
    if stray:
        return f"left behind: {stray[0]}"
    if done.code and not goes_on and case.name != "train" and changed:
        return f"refused, but {changed[0]} was written"
    if not goes_on and any(name in before for name in changed):
        return f"an input was changed: {next(name for name in changed if name in before)}"
    for name in changed:
        if name.endswith(".json") and (b"NaN" in after.get(name, b"") or b"Infinity" in after.get(name, b"")):
            return f"NaN in {name}"
    return ""


def _whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


def trials(
    source: Path, server: Server, *, seed: int, cases: tuple[Case, ...] = CASES
) -> Iterator[tuple[Case, Done, Failure | None]]:
    """Endless trials: case after case, each with its inputs fresh and one or two of its files damaged."""
    number = seed * 1_000_003
    while True:
        for case in cases:
            number += 1
            draw = random.Random(number)
            with tempfile.TemporaryDirectory(prefix="triglot-fuzz-") as place:
                folder = Path(place) / "inputs"
                shutil.copytree(source, folder)
                target = folder / draw.choice(case.damage)
                told = []
                for _ in range(draw.choice((1, 1, 2))):
                    files = (
                        [target] if target.is_file() else sorted(path for path in target.rglob("*") if path.is_file())
                    )
                    told.append(mutate(draw.choice(files), draw))
                words = [word.replace("DAMAGED", target.name).replace("OUT", "out") for word in case.words.split()]
                before = listing(folder)
                done = server.run(words, under=[], cwd=folder, timeout=TIMEOUT, memory=MEMORY)
                why = wrong(done, case, before, listing(folder))
                failure = Failure(case.name, number, "; ".join(told), why, done.output[-3000:]) if why else None
            yield case, done, failure


def attempt(
    source: Path, server: Server, *, count: int, seed: int = 1, cases: tuple[Case, ...] = CASES
) -> list[Failure]:
    """So many trials. Failures go to stderr as they come, a table of what happened to stdout."""
    codes: dict[str, Counter[str]] = {case.name: Counter() for case in cases}
    failures: list[Failure] = []
    slowest = 0.0
    for case, done, failure in islice(trials(source, server, seed=seed, cases=cases), count):
        codes[case.name][f"exit {done.code}"] += 1
        slowest = max(slowest, done.seconds)
        if failure:
            codes[case.name][failure.why.split(":")[0]] += 1
            failures.append(failure)
            print(
                json.dumps({"case": case.name, "seed": failure.seed, "damage": failure.damage, "why": failure.why}),
                file=sys.stderr,
            )
            print(failure.output, file=sys.stderr, flush=True)
    for name, found in codes.items():
        print(f"{name:22} " + ", ".join(f"{number} x {what}" for what, number in sorted(found.items())))
    print(f"{count} trials, {len(failures)} failed, slowest {slowest:.1f} s")
    return failures


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=Path, help="keep the undamaged inputs here, or take them from here")
    parser.add_argument("--only", default="", help="cases whose names begin so")
    args = parser.parse_args(words)
    chosen = tuple(case for case in CASES if case.name.startswith(args.only))
    with tempfile.TemporaryDirectory(prefix="triglot-inputs-") as place, Server() as server:
        source = prepare(args.inputs or Path(place) / "source", server)
        return int(bool(attempt(source, server, count=args.trials, seed=args.seed, cases=chosen)))


if __name__ == "__main__":
    sys.exit(main())
