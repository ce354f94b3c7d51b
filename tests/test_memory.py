"""The memory that is left is the least of what bounds it, and a wish for more is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from triglot import memory
from triglot.files import InputError
from triglot.memory import available, check_fits, in_words


def machine(root: Path, *, free: int, files: dict[str, str] | None = None, groups: str = "0::/") -> tuple[Path, Path]:
    proc, tree = root / "proc", root / "cgroup"
    (proc / "self").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal:       99999999 kB\nMemAvailable:   {free} kB\nHugePages_Total:       0\n")
    (proc / "self" / "cgroup").write_text(groups + "\n")
    for name, text in (files or {}).items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text + "\n")
    return proc, tree


def test_what_the_machine_leaves(tmp_path: Path) -> None:
    assert available(*machine(tmp_path, free=1000)) == 1000 * 1024


@pytest.mark.parametrize(
    ("groups", "files", "left"),
    [
        ("0::/a/b", {"a/b/memory.max": "900", "a/b/memory.current": "400"}, 500),
        (
            "0::/a/b",
            {"a/memory.max": "900", "a/memory.current": "400", "a/b/memory.max": "max", "a/b/memory.current": "1"},
            500,
        ),
        (
            "0::/a",
            {"a/memory.max": "900", "a/memory.current": "400", "a/memory.stat": "anon 1\ninactive_file 100"},
            600,
        ),
        ("4:memory:/j", {"memory/j/memory.limit_in_bytes": "900", "memory/j/memory.usage_in_bytes": "1000"}, 0),
        ("4:cpu,memory:/gone", {"memory/memory.limit_in_bytes": "900", "memory/memory.usage_in_bytes": "800"}, 100),
    ],
)
def test_a_container_leaves_less_than_its_machine(
    tmp_path: Path, groups: str, files: dict[str, str], left: int
) -> None:
    assert available(*machine(tmp_path, free=1000, files=files, groups=groups)) == left


def test_a_wish_for_more_than_there_is_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 2_000_000_000)
    check_fits(1.8e9, "encoder.dim")
    with pytest.raises(InputError, match=r"^encoder\.dim: about 3\.5 GB of memory are needed, 2\.0 GB are free$"):
        check_fits(3.5e9, "encoder.dim")
    monkeypatch.setattr(memory, "available", lambda: None)
    check_fits(1e30, "a system that does not tell")


def test_this_machine_has_memory_and_not_a_yottabyte() -> None:
    with pytest.raises(InputError, match="memory"):
        check_fits(1e24, "x")


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (3_200_000, "3.2 MB"), (1.5e9, "1.5 GB"), (4.4e15, "4,400 TB")],
)
def test_sizes_in_words(size: float, said: str) -> None:
    assert in_words(size) == said
