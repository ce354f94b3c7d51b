"""Killed at any file event and started again, a run or study leaves what one that was never killed leaves, byte for
byte but for times.

A few events, spread over all, are tried; with TRIGLOT_KILLS=all every one of them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RECIPE = """languages: [de, en]
encoder: {dim: 8, vocab: 60}
alignment:
  sources: [{format: bitext, path: texts}]
  batches: {kind: xy, size: 8, comparable: false}
  train: {steps: 4, log_every: 3, checkpoint_every: 2}
sources: [{format: bitext, path: texts}]
batches: {kind: xy, size: 8, comparable: false}
train: {steps: 5, log_every: 2, checkpoint_every: 3, validate_every: 4, lr: 0.01}
validation: [{name: valid, format: bitext, path: texts}]
evaluate: [{name: test, format: bitext, path: texts}]
"""
STUDY = "baselines: [bm25]\narms:\n  plain: {train.lr: 0.02}\n  mean: {of: [plain]}\n"
# A checksum is over times too, a command names the folder.
TIMES = (
    "seconds",
    "pairs_per_second",
    "time",
    "checksum",
    "command",
)
WORDS = [
    "Fluss river",
    "Berg mountain",
    "Stadt city",
    "König king",
    "Schiff ship",
    "Brot bread",
    "Stein stone",
    "Pferd horse",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts and two recipes."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "texts").mkdir()
    for side, lang in enumerate(("de", "en")):
        lines = (f"{word.split()[side]} {number}" for number in range(4) for word in WORDS)
        (folder / "texts" / f"{lang}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "run.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "study.yaml").write_text(RECIPE + STUDY, encoding="utf-8")
    return folder


def words(place: Path, command: str, out: Path) -> list[object]:
    return [command, place / ("run.yaml" if command == "train" else "study.yaml"), f"data={place}", "--out", out]


def timeless(value: Any) -> Any:
    """JSON without times."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def content(out: Path) -> dict[str, Any]:
    """What a folder holds, hidden files and leftovers too, times aside."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(out).as_posix()
        if name.startswith("report."):
            found[name] = "shows how long it took"
        elif path.suffix in (".json", ".jsonl"):
            lines = (
                path.read_text(encoding="utf-8").splitlines()
                if path.suffix == ".jsonl"
                else [path.read_text(encoding="utf-8")]
            )
            found[name] = [timeless(json.loads(line)) for line in lines]
        else:
            found[name] = path.read_bytes()
    return found


@dataclass(frozen=True)
class Whole:
    """A run or a study that nothing stopped: what it left, and the file events on the way."""

    content: dict[str, Any]
    events: list[str]


@pytest.fixture(scope="module")
def whole(server, place, tmp_path_factory) -> Callable[[str], Whole]:
    """Command -> its result, made once."""

    @cache
    def made(command: str) -> Whole:
        out = tmp_path_factory.mktemp(f"whole-{command}") / "out"
        done = server.run(words(place, command, out), under=[out])
        assert done.code == 0, done.output
        return Whole(content(out), done.events)

    return made


def chosen(events: int, few: int) -> list[int]:
    """Numbers of events: the second, where a folder is made, the last, and so many evenly between."""
    if os.environ.get("TRIGLOT_KILLS") == "all":
        return list(range(1, events + 1))
    return np.linspace(2, events, few + 2).astype(int).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("command", "few"), [("train", 3), ("study", 1)])
def test_killed_at_any_file_event_and_started_again(server, place, tmp_path, whole, command, few) -> None:
    wanted = whole(command).content
    assert any(name.endswith("model/model.safetensors") for name in wanted)
    for event in chosen(len(whole(command).events), few):
        out = tmp_path / f"at-{event}" / "out"
        out.parent.mkdir()
        killed = server.run(words(place, command, out), under=[out], kill_at=event)
        assert killed.code == -9, killed.output
        again = server.run(words(place, command, out))
        assert again.code == 0, f"killed at {killed.events[-1]}: {again.output}"
        assert content(out) == wanted, f"killed at {killed.events[-1]}"
        assert [path.name for path in out.parent.iterdir()] == ["out"], f"killed at {killed.events[-1]}"
        shutil.rmtree(out.parent)


@pytest.mark.slow
def test_killed_twice(server, place, tmp_path, whole) -> None:
    """The second time while what the first one left is mended."""
    events, wanted = len(whole("train").events), whole("train").content
    for first, second in ((events // 3, 2), (2 * events // 3, 6)):
        out = tmp_path / f"at-{first}"
        for event in (first, second):
            assert server.run(words(place, "train", out), under=[out], kill_at=event).code == -9
        assert server.run(words(place, "train", out)).code == 0
        assert content(out) == wanted


# --- damaged state


@pytest.fixture(scope="module")
def stopped(server, place, tmp_path_factory, whole) -> dict[str, Path]:
    """A run and a study that were killed late in the fine-tuning, with checkpoints."""
    made = {}
    for command in ("train", "study"):
        out = tmp_path_factory.mktemp("stopped") / "out"
        model = [
            number
            for number, event in enumerate(whole(command).events, 1)
            if "rename" in event and "/checkpoints/fine-tuning" in event
        ]
        assert server.run(words(place, command, out), under=[out], kill_at=model[0] + 2).code == -9
        assert list(out.rglob("checkpoints/*/state.json"))
        made[command] = out
    return made


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in rng.integers(len(data), size=3) if data else []:
        changed[place] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def respelt(data: bytes, rng: np.random.Generator) -> bytes:
    """One value of a document is another."""
    others = [b"0", b"-1", b"1e308", b"NaN", b"null", b"true", b'"x"', b"[]", b"{}", b"9" * 5000, b"\\ud800"]
    places = [place for place, byte in enumerate(data) if byte in b"0123456789"] or [0]
    place = int(rng.choice(places))
    return data[:place] + others[int(rng.integers(len(others)))] + data[place + 1 :]


MUTATIONS: list[Callable[[bytes, np.random.Generator], bytes]] = [
    flipped,
    respelt,
    lambda data, rng: data[: int(rng.integers(len(data) + 1))],
    lambda data, rng: b"",
    lambda data, rng: b"[" * 100_000,
    lambda data, rng: data + data[: len(data) // 2],
]
STATE = [
    "state.json",
    "state.safetensors",
    "summary.json",
    "recipe.yaml",
    "metrics.jsonl",
    "study.json",
    "evaluations.jsonl",
]
STATE += ["checksums.json", "tokenizer.json", "baseline.json", "model.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "study"])
def test_damaged_state_is_found_or_mended(server, place, tmp_path, stopped, whole, command) -> None:
    wanted = whole(command).content
    targets = [path.relative_to(stopped[command]) for path in sorted(stopped[command].rglob("*")) if path.name in STATE]
    assert len({path.name for path in targets}) >= (8 if command == "train" else 10)
    rng = np.random.default_rng(5)
    turns = 2 * len(MUTATIONS)
    if os.environ.get("TRIGLOT_KILLS") == "all":
        turns = 200
    elif command == "study":  # which takes long: what a run has is damaged in a run
        targets = [path for path in targets if path.name in ("study.json", "evaluations.jsonl", "baseline.json")]
        assert len(targets) == 3
        turns = len(targets)
    for turn in range(turns):
        out = tmp_path / f"damaged-{turn}"
        shutil.copytree(stopped[command], out)
        target = targets[turn if turns == len(targets) else int(rng.integers(len(targets)))]
        mutation = MUTATIONS[turn % len(MUTATIONS)]
        before = (out / target).read_bytes()
        (out / target).write_bytes(after := mutation(before, rng))
        done = server.run(words(place, command, out))
        told = f"{target}, {turn}: {done.output}"
        assert done.code in (0, 2), told
        assert "Traceback" not in done.output, told
        if done.code == 0 and after != before and target.name not in ("metrics.jsonl", "evaluations.jsonl"):
            found = content(out)
            assert {name: found[name] for name in wanted if "metrics" not in name} == {
                name: value for name, value in wanted.items() if "metrics" not in name
            }, told
        shutil.rmtree(out)
