"""How much memory there is, so that a wish for more is refused before the work begins and not after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from triglot.files import InputError

try:
    import resource
except ImportError:  # Windows
    resource = None

_KEPT = 0.95  # of what is free; the rest is for what no estimate counts


def in_words(size: float) -> str:
    """A number of bytes as people say it: `512 bytes`, `3.2 MB`, `1.5 GB`."""
    for unit, bytes_of_it in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= bytes_of_it:
            return f"{size / bytes_of_it:,.{1 if size < 100 * bytes_of_it else 0}f} {unit}"
    return f"{int(size)} bytes"


def _numbers(path: Path) -> dict[str, int]:
    """`key number` lines of a file of the system; a lone number has the key ''. Empty where the file cannot be read."""
    numbers = {}
    try:
        for line in path.read_text().splitlines():
            *key, number = line.removesuffix(" kB").rsplit(maxsplit=1)
            if number.isdigit():
                numbers[key[0].rstrip(":") if key else ""] = int(number) * (1024 if line.endswith(" kB") else 1)
    except (OSError, UnicodeDecodeError):
        return {}
    return numbers


def _left_in_groups(proc: Path, groups: Path) -> Iterator[int]:
    """Bytes that the control groups of this process (containers, job systems; versions 1 and 2) still allow."""
    try:
        lines = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, path = ([*line.split(":", 2), "", ""])[:3]
        if kinds == "":
            root, limit, used = groups, "memory.max", "memory.current"
        elif "memory" in kinds.split(","):
            root, limit, used = groups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        here = root / path.strip("/")
        for folder in (here, *here.parents):
            allowed, taken, stat = (_numbers(folder / name) for name in (limit, used, "memory.stat"))
            if "" in allowed and "" in taken:
                cache = stat.get("total_inactive_file", stat.get("inactive_file", 0))  # given back when memory is short
                yield allowed[""] - taken[""] + cache
            if folder == root:
                break


def available(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes that this process can still take without swapping: the least of what the machine, its control groups and
    `ulimit -v` leave.

    None where the system does not tell.
    """
    left = list(_left_in_groups(proc, groups))
    if (free := _numbers(proc / "meminfo").get("MemAvailable")) is not None:
        left.append(free)
    elif not proc.is_dir():
        try:
            # macOS: all of it, a bound all the same.
            left.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        except (AttributeError, OSError, ValueError):
            return None
    if resource is not None:
        bound = resource.getrlimit(resource.RLIMIT_AS)[0]
        if bound != resource.RLIM_INFINITY:
            left.append(bound - _numbers(proc / "self" / "status").get("VmSize", 0))
    return max(0, min(left)) if left else None


def check_fits(need: float, what: str) -> None:
    """Raise InputError where more memory is needed than this process can have.

    Args:
        need: bytes, an estimate from below: what is certainly held at one time.
        what: the wish and the key that it comes from: `batches.size: 100000 rows of 2 texts`.
    """
    free = available()
    if free is not None and need > free * _KEPT:
        raise InputError(f"{what}: about {in_words(need)} of memory are needed, {in_words(free)} are free")
