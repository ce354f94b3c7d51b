"""The sections of studies in docs/results.md are those of the committed reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import studies


def test_the_sections_of_studies_are_made_of_the_reports() -> None:
    text = studies.PAGE.read_text("utf-8")
    assert studies.placed(text) == text, "python -m tools.studies --write"


def test_every_figure_of_a_section_stands_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = {"id": "c", "statement": "A is better.", "verdict": "holds", "models_verdict": "holds", "effect": 0.1}
    claim |= {"low": 0.05, "high": 0.15, "p": 0.0001, "what": "a against b", "why": "", "runs": ["arms/a/seed-1"]}
    cells = {"multi": {"map": {"value": 0.512, "low": 0.5, "high": 0.52}}, "bias": {"rank_distance": {"value": 1234.0}}}
    report = {"schema": 1, "name": "toy", "size": "cpu", "question": "Is it?", "answer": ["Yes."], "claims": [claim]}
    command = "triglot study toy --size cpu data=/here/data encoder.model=/here/e5 batches.size=8 --out /here/o"
    report |= {
        "command": command,
        "study": {"command": command, "seconds": 3.0},
        "seen": [1],
        "benchmarks": {"t": {"rows": []}},
    }
    report["benchmarks"]["t"]["rows"] = [{"arm": "a", "seeds": 3, **cells}, {"arm": "b", "seeds": 1}]
    report["attacks"] = {"t+typos": {"rows": [{"arm": "a", "seeds": 3, "multi": {"map": {"value": 0.25}}}]}}
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "report.json").write_text(json.dumps(report), "utf-8")
    monkeypatch.setattr(studies, "REPORTS", tmp_path / "reports")
    kept = json.loads(studies.add(tmp_path / "study").read_text("utf-8"))
    assert "seen" not in kept
    assert kept["command"] == "triglot study toy --size cpu data=../shared/data batches.size=8 --out runs/toy-cpu"
    assert kept["study"] == {"command": kept["command"], "seconds": 3.0}
    text = studies.table()
    assert "| arm | t+typos: multi map |" in text
    assert "| a | 0.250 |" in text
    for part in ("| a | 3 | 0.512 [0.500, 0.520] | 1,234 |", "| b | 1 | — | — |", "**holds**", "+0.100 [0.050, 0.150]"):
        assert part in text
    page = "<!-- studies: tools/studies.py -->\nstale figures\n<!-- /studies -->"
    assert "stale" not in studies.placed(page)
