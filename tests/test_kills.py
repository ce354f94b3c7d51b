"""Commands killed at file events: afterwards the older or the new result is whole, and the next start goes on and
leaves nothing.

A few points of each command; `TRIGLOT_KILLS=all` tries every one.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.killing import Server
from tests.writing import commands, inputs

NAMES = tuple(commands(Path()))
GOLDEN = 0.6180339887  # its multiples fall evenly between whole numbers
STORE = "translations.jsonl"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inputs(tmp_path_factory.mktemp("inputs"))


def held(folder: Path) -> dict[str, bytes]:
    """Each file's bytes; of a store of translations its lines in one order, since they come as they were made."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {
        path: b"".join(sorted(data.splitlines(keepends=True))) if path.endswith(STORE) else data
        for path, data in found.items()
    }


def points(events: int, turn: int) -> list[int]:
    """One of the last events, where files are put in their places, over an older result; where there is none, one of
    all. Over the turns they come from everywhere."""
    if os.environ.get("TRIGLOT_KILLS") == "all":
        return list(range(1, events + 1))
    return [events - turn // 2 % 4 if turn % 2 else 1 + int(turn * GOLDEN % 1 * events)]


def is_temporary(name: str) -> bool:
    return name.endswith(".lock") or ".part" in name or ".old" in name


def check(name: str, now: dict[str, bytes], old: dict[str, bytes], new: dict[str, bytes], target: str) -> None:
    """The older or the new result is whole.

    Of single files all but the first may be absent, since they cannot be exchanged at once.

    A store grows in its place while the command runs; no line of the older one is lost.
    """

    def leftover(path: str) -> bool:
        return is_temporary(path) or path.split("/")[0].startswith(f".{target}")

    for path in [path for path in now if path.endswith(STORE) and not leftover(path)]:
        assert set(old.get(path, b"").splitlines()) <= set(now[path].splitlines()) <= set(new[path].splitlines())
    now, old, new = ({path: data for path, data in one.items() if not path.endswith(STORE)} for one in (now, old, new))
    seen = {path: content for path, content in now.items() if not leftover(path)}
    if name.startswith("+"):
        lines = seen.get(target)
        assert lines in (old.get(target), new[target])
        whole = new if lines == new[target] else old
        assert all(whole[path] == content for path, content in seen.items())
    else:
        assert seen in (
            {path: content for path, content in one.items() if not path.startswith(f".{target}")} for one in (old, new)
        )


@pytest.mark.slow
@pytest.mark.parametrize("over", [False, True], ids=["fresh", "over-an-older-one"])
@pytest.mark.parametrize("name", NAMES)
def test_killed_anywhere(server: Server, root: Path, tmp_path: Path, name: str, over: bool) -> None:
    older, words, target = commands(root)[name]
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    (before / "thesis.tex").write_text("precious")
    if over:
        done = server.run([*older, "--out", before / target])
        assert done.code == 0, done.output
    shutil.copytree(before, after)
    done = server.run([*words, "--out", after / target], under=[after / target])
    assert done.code == 0, done.output
    old, new = held(before), held(after)
    assert not any(is_temporary(path) for path in new)
    for point in points(len(done.events), 2 * NAMES.index(name) + over):
        place = tmp_path / f"at-{point}"
        shutil.copytree(before, place)
        killed = server.run([*words, "--out", place / target], under=[place / target], kill_at=point)
        assert killed.code == -9, (point, killed.output)
        now = held(place)
        check(name, now, old, new, target)
        if name == "evaluate" and (place / target / "results.json").exists():
            told = server.run(["compare", place / target, "--output-format", "json"])
            assert told.code == 0, told.output
            assert json.loads((place / target / "results.json").read_bytes())["model"] in map(
                str, (root / "model", root / "second")
            )
        again = server.run([*words, "--out", place / target])
        assert again.code == 0, (point, killed.events[-1], again.output)
        assert held(place) == new, (point, killed.events[-1])
        shutil.rmtree(place)
