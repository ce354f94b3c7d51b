"""The ledger: true claims hold, claims with their arms swapped do not, one seed decides nothing of a method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.report.synthetic import write_attacked, write_study
from triglot.files import InputError
from triglot.report import find_arms
from triglot.report.claims import Claim, Part, claim_of, read_claims
from triglot.report.index_page import read_report, write_index
from triglot.report.ledger import Evidence, judge
from triglot.report.resampling import figures_of, read_arms
from triglot.report.story import Axis, Story
from triglot.report.write import write_report

POOL = Part(arm="x-y", than=("x-x",), settings=("multi",))
TRUE = Claim("pool", "X-Y is ahead of X-X in the pool.", (POOL,))
SWAPPED = Claim("swapped", "X-X is ahead of X-Y in the pool.", (Part(arm="x-x", than=("x-y",), settings=("multi",)),))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("three"), groups=40)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("one"), seeds=(1,), groups=40)


def verdicts(folder: Path, *parts: Part, leakage=None) -> tuple[str, str]:
    entry = judge([Claim("one", "As it says.", parts)], Evidence(find_arms([folder]), leakage), folder)[0]
    return entry.verdict, entry.models_verdict


def test_a_true_claim_holds_and_the_same_with_its_arms_swapped_does_not(three: Path) -> None:
    held, refused = judge([TRUE, SWAPPED], Evidence(find_arms([three])), three)
    assert (held.verdict, refused.verdict) == ("holds", "does not hold")
    assert held.runs == tuple(f"arms/{arm}/seed-{seed}" for arm in ("x-y", "x-x") for seed in (1, 2, 3))
    main, other = held.deciding, refused.deciding
    assert main.effect == pytest.approx(-other.effect)
    assert main.low > 0 > other.high
    assert main.p == pytest.approx(other.p)
    arms = {arm.name: arm for arm in find_arms([three])}
    means = [np.mean([run.benchmarks["toy"]["multi"]["map"] for run in arms[name].runs]) for name in ("x-y", "x-x")]
    assert [main.value, main.other] == pytest.approx(means)


def test_one_seed_is_undecided_of_the_method_and_decided_of_these_models(one: Path) -> None:
    held, refused = judge([TRUE, SWAPPED], Evidence(find_arms([one])), one)
    assert (held.verdict, held.models_verdict) == ("undecided", "holds")
    assert (refused.verdict, refused.models_verdict) == ("undecided", "does not hold")
    assert held.why == "fewer than 3 seeds"


def test_all_parts_must_hold(three: Path) -> None:
    assert verdicts(three, POOL, Part(arm="x-y", than=("alignment",), settings=("multi",)))[0] == "holds"
    assert verdicts(three, POOL, Part(arm="x-x", than=("alignment",), settings=("multi",)))[0] == "does not hold"
    near = Part(arm="x-y", than=("hybrid",), settings=("multi",))
    assert verdicts(three, POOL, near)[0] != "holds"


def test_directions_margins_and_factors(three: Path) -> None:
    def of(**more) -> str:
        return verdicts(three, Part(**{"arm": "x-y", "than": ("x-x",), "settings": ("multi",), **more}))[0]

    effect = judge([TRUE], Evidence(find_arms([three])))[0].deciding.effect
    assert of(margin=effect / 4) == "holds"
    assert of(margin=min(4 * effect, 1.0)) == "does not hold"
    assert of(direction="worse") == "does not hold"
    assert of(direction="not-worse", margin=0.005) == "holds"
    assert of(settings=("bias",), measure="rank_distance") == "holds"  # lower is better
    assert of(settings=("bias",), measure="rank_distance", factor=0.05) == "does not hold"
    assert of(arm="x-x", than=("x-y",), direction="worse") == "holds"


def test_languages_restrict_the_cells(three: Path) -> None:
    """By a naive mean over the rows of two languages."""
    part = Part(arm="x-y", than=("x-x",), settings=("mono",), languages=("de", "th"))
    found = judge([Claim("c", "s", (part,))], Evidence(find_arms([three])))[0].deciding
    arm = next(arm for arm in find_arms([three]) if arm.name == "x-y")
    runs = read_arms([arm], "toy")["x-y"]
    figures = figures_of(runs, "mono", "map")
    cells = figures.rows.cell.to_pylist()
    wanted = [figures.values[:, [c == f"{code}/{code}" for c in cells]].mean() for code in ("de", "th")]
    assert found.value == pytest.approx(np.mean(wanted))
    assert "of de, th" in found.what


def test_counts_are_exact(three: Path) -> None:
    cells = {"mono": 3, "cross": 6, "multi": 3}
    for setting, number in cells.items():
        assert verdicts(three, Part("count", settings=(setting,), cells=number)) == ("holds", "holds")
        assert verdicts(three, Part("count", settings=(setting,), cells=number + 1))[0] == "does not hold"
    assert verdicts(three, Part("count", settings=("mono",), cells=3, of=7))[0] == "undecided"


def test_leakage(three: Path) -> None:
    line = {"training": "qa", "evaluation": "toy", "texts": 2, "of": 100}
    assert verdicts(three, Part("apart"), leakage=[line])[0] == "does not hold"
    assert verdicts(three, Part("apart", most=2), leakage=[line])[0] == "holds"
    assert verdicts(three, Part("apart"))[0] == "undecided"


def test_what_was_not_run_is_undecided_and_said(three: Path) -> None:
    missing = Claim("m", "s", (Part(arm="x-y", than=("nobody",)),))
    entry = judge([missing], Evidence(find_arms([three])))[0]
    assert (entry.verdict, entry.why) == ("undecided", "not run: nobody")
    elsewhere = Claim("m", "s", (Part(arm="x-y", than=("x-x",), on=("other*",)),))
    assert "no figures" in judge([elsewhere], Evidence(find_arms([three])))[0].why


def test_what_an_attack_costs(tmp_path: Path) -> None:
    folder = write_attacked(tmp_path)
    assert verdicts(folder, Part(arm="firm", than=("frail",), lost=True))[0] == "holds"
    assert verdicts(folder, Part(arm="frail", than=("firm",), lost=True))[0] == "does not hold"
    assert verdicts(folder, Part(arm="firm", than=("frail",), on=("toy+typos",)))[0] == "holds"


def test_claims_are_read_with_their_places(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text("claims:\n  a:\n    statement: s\n    parts:\n      - {arm: x, thn: [y]}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"claims.yaml:5: .*thn: no such setting; did you mean 'than'"):
        read_claims(path)
    path.write_text(
        "claims:\n  a:\n    statement: s\n    parts: [{arm: x, than: [y], measure: mpa}]\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match="mpa"):
        read_claims(path)
    with pytest.raises(InputError, match=r"no claim 'poll'.*did you mean 'pool'"):
        claim_of("poll", {"pool": TRUE}, None, "s.yaml:3")
    assert claim_of("pool", {"pool": TRUE}, {"statement": "In other words."}, "s.yaml:3").parts == TRUE.parts


def test_the_report_and_the_index_tell_the_claims(three: Path, one: Path, tmp_path: Path) -> None:
    folders = []
    for name, folder in (("three", three), ("one", one)):
        ledger = tuple(judge([TRUE, SWAPPED], Evidence(find_arms([folder])), folder))
        axis = Axis("Kinds", "a number", {"x-x": 0, "x-y": 1})
        told = Story(
            name, "cpu", "Is X-Y <better>?", ledger, "More seeds.", ("A note.",), (axis,), ("triglot study x",)
        )
        out = tmp_path / name
        write_report(find_arms([folder]), out, title=name, story=told)
        folders.append(out)
        page, text = (out / "report.html").read_text("utf-8"), (out / "report.md").read_text("utf-8")
        for part in (
            "Is X-Y &lt;better&gt;?",
            "does not hold" if name == "three" else "undecided",
            "A note.",
            "More seeds.",
        ):
            assert part in page
        assert "<svg" in page
        assert "triglot study x" in text
    found = read_report(folders[0])
    assert {"id", "statement", "verdict", "effect", "low", "high", "p", "runs"} <= set(found["claims"][0])
    assert len(found["answer"]) == 2
    assert found["answer"][0].startswith("Yes: x-y against x-x, multilingual mAP on toy")
    content = write_index(folders, tmp_path / "index")
    states = [[claim["verdict"] for claim in one["claims"]] for one in content["studies"]]
    assert states == [["holds", "does not hold"], ["undecided", "undecided"]]
    page = (tmp_path / "index" / "index.html").read_text("utf-8")
    assert 'href="../three/report.html"' in page
    assert "<better>" not in page
    with pytest.raises(InputError, match=r"no report\.json"):
        read_report(tmp_path)
