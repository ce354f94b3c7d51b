"""A tiny model and passages for the tests of shards."""

from __future__ import annotations

import json
from pathlib import Path

from triglot.encoder import EncoderSettings, init_encoder

WORDS = {
    "de": ["Fluss", "Berg", "Stadt", "König", "Winter", "Brot", "Stein", "Pferd"],
    "en": ["river", "mountain", "city", "king", "winter", "bread", "stone", "horse"],
}


def model(path: Path, seed: int = 1) -> Path:
    """A static model of 16 dimensions."""
    counts = {code: dict.fromkeys(known, 5) for code, known in WORDS.items()}
    init_encoder(EncoderSettings(kind="static", dim=16, vocab=200), counts, seed=seed).save(path)
    return path


def passages(count: int = 20) -> list[dict]:
    """Records with all that a passage may have; a third of them names no language."""
    rows = []
    for number in range(count):
        code = ("de", "en")[number % 2]
        text = " ".join(WORDS[code][(number + step) % 8] for step in range(3))
        row = {"id": f"p{number}", "text": f"{text} {number}", "group": f"g{number // 2}", "year": 2000 + number}
        rows.append(row if number % 3 == 0 else row | {"lang": code})
    return rows


def jsonl(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def held(folder: Path) -> dict[str, bytes]:
    """Each file of a folder, hidden ones too, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
