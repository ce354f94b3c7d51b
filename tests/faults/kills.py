"""Commands killed at a file event, and started again: the old result or the new one, never a mixture, and nothing is left behind.

python -m tests.faults.kills --points 300
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.fuzz import listing, prepare
from tests.killing import Server


@dataclass(frozen=True)
class Case:
    """A command that is killed.

    Attributes:
        name: of the case.
        words: the command; OUT is what it writes, a path in an empty folder.
        before: a command that has written there before, with other content; empty for none.
        resumes: it keeps what it has done, so that in between there is neither the old nor the new result.
    """

    name: str
    words: str
    before: str = ""
    resumes: bool = False


CASES = (
    Case("evaluate", "evaluate model --on x=squad --on y=beir --out OUT/r"),
    Case("evaluate over another", "evaluate model --on x=squad --force --out OUT/r", "evaluate bm25 --on x=squad --on y=beir --out OUT/r"),
    Case("evaluate nli", "evaluate model --on x=nli --save-run --on y=beir --out OUT/r", "evaluate model --on y=beir --out OUT/r"),
    Case("encode", "encode model passages.tsv --out OUT/v.npy"),
    Case("encode over another", "encode model passages.tsv --force --out OUT/v.npy", "encode small passages.jsonl --out OUT/v.npy"),
    Case("mine", "mine pairs.jsonl --model bm25 negatives=2 depth=10 --out OUT/m.jsonl"),
    Case(
        "mine over another",
        "mine pairs.jsonl --model bm25 negatives=2 depth=10 --force --out OUT/m.jsonl",
        "mine pairs.jsonl --model random negatives=1 --out OUT/m.jsonl",
    ),
    Case("augment a file", "augment pairs.jsonl --kind insert --out OUT/a.jsonl", "augment pairs.jsonl --kind swap --out OUT/a.jsonl"),
    Case("augment a folder", "augment pairs.jsonl --kind insert --factor 1,2 --out OUT/a", "augment pairs.jsonl --kind swap --out OUT/a"),
    Case("lists", "lists bitext --out OUT/l", "lists bitext --least 1 --out OUT/l"),
    Case("init", "init squad --dim 8 --vocab 300 --out OUT/i", "init squad --dim 8 --vocab 200 --out OUT/i"),
    Case("debias", "debias model bitext --method centre --out OUT/d", "debias model bitext --method shift --out OUT/d"),
    Case(
        "attack", "attack model --on x=squad --attack kinds=insert --out OUT/t", "attack model --on x=squad --attack kinds=swap --out OUT/t"
    ),
    Case("report", "compare run other --report OUT/p", "compare other --report OUT/p"),
    Case("train", "train recipe.yaml --out OUT/t", resumes=True),
    Case("study", "study study.yaml --out OUT/s", resumes=True),
)
_TIMES = ("seconds", "time", "rate", "started", "per_s", "pairs_per_second", "sha256", "rest", "size")


def _without_times(value: Any) -> Any:
    """A document without what differs between two undisturbed runs: times, and check sums of files that hold them."""
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items() if not any(word in key for word in _TIMES)}
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def content(folder: Path) -> dict[str, Any]:
    """What a folder holds, without leftovers, times and event files of TensorBoard; pages count by their names alone."""
    found: dict[str, Any] = {}
    for name, data in listing(folder).items():
        last = name.rstrip("/").rsplit("/", 1)[-1]
        if last.endswith((".part", ".old", ".lock")) or ".part/" in name or ".old/" in name or "tfevents" in last:
            continue
        if last.endswith((".json", ".jsonl", ".triglot")):
            found[name] = [_without_times(json.loads(line)) for line in ([data] if not last.endswith("l") else data.splitlines()) if line]
        else:
            found[name] = b"" if last.endswith((".html", ".md")) else data
    return found


def leftovers(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.name.endswith((".part", ".old", ".lock"))]


def mixture(now: dict[str, Any], old: dict[str, Any], new: dict[str, Any]) -> str:
    """What is wrong with what a kill left; empty where it is the old result, the new one, or its data with nothing beside it."""
    if now in (old, new, {}):
        return ""
    whole = {name for name in now if not name.rsplit("/", 1)[-1].startswith(".") and not name.endswith("/")}
    if len(whole) == 1 and any(now[name] == one.get(name) for name in whole for one in (old, new)):
        return ""
    return "neither old nor new: " + ", ".join(sorted(now))[:300]


def points(source: Path, server: Server, case: Case, draw: random.Random, most: int) -> Iterator[tuple[int, str]]:
    """Kill a command at some of its events, start it again, and yield (event, what was wrong)."""
    with tempfile.TemporaryDirectory(prefix="triglot-kills-") as place:
        began, whole, out = (Path(place) / name for name in ("began", "whole", "out"))

        def run(words: str, folder: Path, **more: Any) -> Any:
            return server.run(words.replace("OUT", str(folder)).split(), cwd=source, **more)

        began.mkdir()
        if case.before:
            done = run(case.before, began)
            assert done.code == 0, (case, done.output)
        shutil.copytree(began, whole)
        done = run(case.words, whole, under=[whole])
        assert done.code == 0, (case, done.output)
        events = len(done.events)
        old, new = content(began), content(whole)
        for event in sorted(draw.sample(range(1, events + 1), min(most, events))):
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(began, out)
            killed = run(case.words, out, under=[out], kill_at=event)
            wrong = "" if killed.code == -signal.SIGKILL else f"not killed: {killed.code}"
            wrong = wrong or ("" if case.resumes else mixture(content(out), old, new))
            again = run(case.words, out)
            if again.code != 0:
                wrong = wrong or f"started again: exit {again.code}, {again.output[-300:]}"
            after = content(out)
            if after != new:
                differ = sorted(name for name in after.keys() | new.keys() if after.get(name) != new.get(name))
                wrong = wrong or f"started again: {', '.join(differ)[:300]} differ from an undisturbed run"
            left = leftovers(out)
            yield event, wrong or (f"left behind: {left[0]}" if left else "")


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=300, help="kill points over all commands")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inputs", type=Path, help="keep the undamaged inputs here, or take them from here")
    parser.add_argument("--only", default="", help="cases whose names begin so")
    args = parser.parse_args(words)
    chosen = [case for case in CASES if case.name.startswith(args.only)]
    ended: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="triglot-inputs-") as place, Server() as server:
        source = prepare(args.inputs or Path(place) / "source", server)
        for case in chosen:
            ended[case.name] = Counter()
            for event, wrong in points(source, server, case, random.Random(args.seed), -(-args.points // len(chosen))):
                ended[case.name]["wrong" if wrong else "whole"] += 1
                if wrong:
                    print(f"{case.name}, event {event}: {wrong}", file=sys.stderr, flush=True)
            print(f"{case.name:24} {dict(ended[case.name])}", flush=True)
    total = sum((counts for counts in ended.values()), Counter())
    print(f"{sum(total.values())} kill points, {total['wrong']} wrong")
    return int(bool(total["wrong"]))


if __name__ == "__main__":
    sys.exit(main())
