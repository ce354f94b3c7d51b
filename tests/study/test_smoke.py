"""The six studies in their smallest size, as CI runs them: nothing but the package, the report with its ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from triglot import recipes
from triglot.files import read_json
from triglot.study.named import load_study

UNTRAINED = {"apart", "settings-counted"}  # what is counted needs no seeds


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes.study_names())
def test_a_smoke_study_runs_and_tells_its_claims(server, name: str, tmp_path: Path) -> None:
    done = server.run(["study", name, "--size", "smoke", "--out", tmp_path / "out", "-q", "--jobs", "1"], timeout=120)
    assert done.code == 0, done.output
    report = read_json(tmp_path / "out" / "report.json")
    about = load_study(name, "smoke")
    claims = {claim["id"]: claim for claim in report["claims"]}
    assert list(claims) == [claim.id for claim in about.claims]
    for claim in about.claims:
        found = claims[claim.id]
        compared = any(part.kind == "compare" for part in claim.parts)
        assert found["verdict"] == ("undecided" if compared else "holds"), found
        if compared:  # one seed: nothing of the method, but each part was tested
            assert found["why"] == "fewer than 3 seeds", found
            assert all("p" in part and part["runs"] for part in found["parts"])
    assert report["question"] == about.settings.question
    assert len(report["answer"]) == 2
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    for part in (report["question"].split("?")[0], 'id="claims"', 'id="commands"', 'id="sources"'):
        assert part in page
    assert report["notes"]
