"""The command `attack`: what it writes."""

from __future__ import annotations

from pathlib import Path

from tests.writing import inputs
from triglot.attack.poison import PoisonSettings
from triglot.commands.attack import attack_model
from triglot.files import read_json


def test_plants_of_one_method_have_entries_of_their_own(tmp_path: Path) -> None:
    root = inputs(tmp_path)
    plants = [
        PoisonSettings(targets=3, k=2),
        PoisonSettings(method="greedy", targets=3, k=2, budget=4),
        PoisonSettings(targets=3, k=5),
    ]
    attack_model(
        str(root / "model"),
        {"b": f"{root / 'squad'}"},
        tmp_path / "out",
        plants=plants,
        options={"candidate_text": "sentence"},
    )
    planted = read_json(tmp_path / "out" / "plants.json")["b"]
    assert list(planted) == ["echo", "greedy", "echo-2"]
    assert {"success@2"} <= set(planted["echo"])
    assert {"success@5"} <= set(planted["echo-2"])
