"""An index that is written without a pause and killed at a random time: what was acknowledged is there, and nothing by
halves.

python -m tests.index.random_kills --times 200 --seed 1
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from tests.index.verbs import some, state
from tests.killing import Server
from triglot.index import manifest
from triglot.index.settings import IndexSettings
from triglot.index.store import DiskIndex, create

CALL = "tests.index.random_kills:write"
WRITES, SECONDS = 40, 1.5
Held = dict[str, str]


def steps(seed: int, kind: str) -> list[tuple[str, int, int, str]]:
    """What is written one after the other: verb, first number, how many, the text that says when."""
    rng = np.random.default_rng(seed)
    least = 300 if kind == "hnsw" else 30  # fewer passages get no graph
    found = []
    for number in range(WRITES):
        verb = str(rng.choice(["create", "add", "add", "delete", "compact"]))
        count = int(rng.integers(1, 40)) + (least if verb == "create" else 0)
        found.append((verb, int(rng.integers(0, 200)), count, f"w{number}"))
    return found


def after(held: Held, step: tuple[str, int, int, str]) -> Held:
    """What an index holds after a write."""
    verb, first, count, text = step
    ids = [f"p{n}" for n in range(first, first + count)]
    if verb == "create":
        held = {}
    if verb in ("create", "add"):
        return held | {one: f"{text} {one}" for one in ids}
    return {one: told for one, told in held.items() if verb != "delete" or one not in ids}


def write(place: str, seed: str, kind: str, delay: str) -> None:
    """Write until the end or the kill, by a process of its own; each write that returned is printed."""
    worker = os.getpid()
    if os.fork() == 0:
        time.sleep(float(delay))
        if os.getppid() == worker:
            os.kill(worker, signal.SIGKILL)
        os._exit(0)
    for verb, first, count, text in steps(int(seed), kind):
        if verb == "create":
            create(place, *some(first, count, text), IndexSettings(kind=kind))  # type: ignore[arg-type]
        elif verb == "add":
            DiskIndex(place).add(*some(first, count, text))
        elif verb == "delete":
            DiskIndex(place).delete([f"p{n}" for n in range(first, first + count)])
        else:
            DiskIndex(place).compact()
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def trial(server: Server, folder: Path, seed: int, kind: str) -> str:
    """One index, one kill. Returns the verb that was interrupted, `` for none; raises AssertionError."""
    place = folder / "index"
    shutil.rmtree(place, ignore_errors=True)
    held = after({}, ("create", 0, 310, "start"))
    create(place, *some(0, 310, "start"), IndexSettings(kind=kind))  # type: ignore[arg-type]
    delay = float(np.random.default_rng([seed, 7]).uniform(0, SECONDS))
    done = server.run([place, seed, kind, delay], call=CALL, under=[place])
    lines = done.output.split()
    assert done.code in (0, -signal.SIGKILL), done.output
    written = steps(seed, kind)
    assert lines == [text for *_, text in written[: len(lines)]], done.output
    for step in written[: len(lines)]:
        held = after(held, step)
    verb = written[len(lines)][0] if len(lines) < len(written) else ""
    now = state(place)
    assert now in (held, after(held, written[len(lines)]) if verb else held), (seed, kind, delay, verb)
    index = DiskIndex(place)
    index.add(*some(900, 1))
    assert state(place) == now | {"p900": "text p900"}
    named = {*manifest.files_of(manifest.read(place)), manifest.FILE}
    assert {path.name for path in place.iterdir()} == named
    return verb


def main() -> None:
    """Kill so many times, and say what was interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    interrupted: Counter[str] = Counter()
    with Server() as server, tempfile.TemporaryDirectory() as folder:
        number = 0
        while (killed := interrupted.total() - interrupted[""]) < asked.times:
            interrupted[trial(server, Path(folder), asked.seed + number, ("exact", "hnsw")[number % 2])] += 1
            number += 1
            if killed % 20 == 19:
                print(f"{killed + 1} kills", flush=True)
    told = ", ".join(f"{verb} {count}" for verb, count in interrupted.most_common() if verb)
    print(f"{asked.times} kills, each index opened with what was acknowledged; in the middle of: {told}")
    print(f"{interrupted['']} more had written everything before the kill came")


if __name__ == "__main__":
    main()
