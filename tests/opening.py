"""What a benchmark has to retrieve, with a reader's options as keyword arguments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from triglot.benchmark import open_benchmark


def retrieval_of(
    spec: str | Path,
    *,
    name: str,
    format: str = "",
    languages: Sequence[str] | None = None,
    passages: bool = True,
    **options: Any,
) -> Any:
    return open_benchmark(
        spec, name=name, format=format, languages=languages, passages=passages, options=options
    ).retrieval
