"""Studies taken apart: parts run by other processes leave what one process leaves; killed anywhere, the report is the
same; a budget leaves out what does not fit.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import triglot
from tests.study.test_killed import WORDS, timeless
from triglot.commands.study import job
from triglot.files import InputError, read_json, read_jsonl
from triglot.recipe import Recipe, arm_recipe, load_recipe, to_yaml
from triglot.sealed import write_sealed
from triglot.study.arms import study
from triglot.study.data import Data
from triglot.study.fingerprint import fingerprint
from triglot.study.folder import check_data
from triglot.study.named import load_study
from triglot.study.parts import Part, begin, commands, parse_part, run_part, waves
from triglot.study.probe import Plan, duration, fit, told
from triglot.study.runners import jobs_for

STUDY = """study:
  question: Is X-Y better than X-X?
  would_change: More words.
  claims:
    better: {statement: X-Y finds more., parts: [{arm: x-y, than: [x-x], settings: [cross]}]}
    swapped: {statement: X-X finds more., parts: [{arm: x-x, than: [x-y], settings: [cross]}]}
    apart: null
languages: [de, en]
encoder: {dim: 8, vocab: 60}
sources: [{format: bitext, path: texts}]
batches: {kind: xy, size: 8, comparable: false, bitext: itself}
train: {steps: 3, log_every: 2, lr: 0.01, threads: 1}
evaluate: [{name: test, format: bitext, path: texts}]
arms:
  x-y: {}
  x-x: {train.lr: 0.02}
  mean: {of: [x-y, x-x]}
sizes:
  smoke: {seeds: [1]}
  cpu: {seeds: [1, 2, 3]}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study and its texts."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "texts").mkdir()
    for side, lang in enumerate(("de", "en")):
        lines = (f"{word.split()[side]} {number}" for number in range(4) for word in WORDS)
        (folder / "texts" / f"{lang}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "own.yaml").write_text(STUDY, encoding="utf-8")
    return folder


def words(place: Path, out: object, *more: str) -> list[object]:
    return ["study", place / "own.yaml", f"data={place}", "--size", "smoke", "--out", out, *more]


def pages(out: Path) -> dict[str, Any]:
    """The report in its three forms, without how long each arm took."""
    page = (out / "report.html").read_text("utf-8")
    text = (out / "report.md").read_text("utf-8")
    return {
        "json": timeless(read_json(out / "report.json")),
        "html": re.sub(r'<section id="seen">.*?</section>', "", page, flags=re.DOTALL),
        "md": re.sub(r"## What each arm saw.*?\n## ", "", text, flags=re.DOTALL),
    }


@pytest.mark.slow
def test_killed_at_ten_points_the_report_is_the_same(server, place: Path, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    done = server.run(words(place, "out", "--jobs", "1"), under=[tmp_path / "whole" / "out"], cwd=tmp_path / "whole")
    assert done.code == 0, done.output
    wanted = pages(tmp_path / "whole" / "out")
    assert [claim["verdict"] for claim in wanted["json"]["claims"]][:2] == ["undecided", "undecided"]
    rng = np.random.default_rng(7)
    for event in sorted(rng.choice(np.arange(2, len(done.events) + 1), 10, replace=False).tolist()):
        here = tmp_path / f"at-{event}"
        here.mkdir()
        killed = server.run(words(place, "out", "--jobs", "1"), under=[here / "out"], cwd=here, kill_at=event)
        assert killed.code == -9, killed.output
        again = server.run(words(place, "out", "--jobs", "1"), cwd=here)
        assert again.code == 0, f"killed at {killed.events[-1]}: {again.output}"
        found = pages(here / "out")
        for form, page in wanted.items():
            assert found[form] == page, f"{form}, killed at {killed.events[-1]}"


@pytest.mark.slow
def test_parts_by_hand_leave_what_one_process_leaves(place: Path, tmp_path: Path) -> None:
    about = load_study(str(place / "own.yaml"), "smoke", [f"data={place}"])
    study(about.recipe, tmp_path / "whole", about=about)
    parts = [part for wave in waves(about.recipe, list(about.recipe.arms), [1]) for part in wave]
    assert [str(part) for part in parts] == ["alignment/1", "x-y/1", "x-x/1", "mean/1"]
    out = tmp_path / "parts"
    for part in (parts[2], parts[1], parts[3]):  # an arm makes its start itself
        assert run_part(to_yaml(about.recipe), str(out), str(part)) == ""
    assert not (out / "report.html").exists()
    study(about.recipe, out, about=about)
    for arm in about.recipe.arms:
        files = [
            folder / "arms" / arm / "seed-1" / "model" / "model.safetensors" for folder in (tmp_path / "whole", out)
        ]
        assert files[0].read_bytes() == files[1].read_bytes()
    assert pages(out)["json"]["claims"] == pages(tmp_path / "whole")["json"]["claims"]
    assert [line["arm"] for _, line in read_jsonl(out / "evaluations.jsonl")] == ["x-y", "x-x", "mean"]


def test_other_data_are_refused(place: Path, tmp_path: Path) -> None:
    about = load_study(str(place / "own.yaml"), "smoke", [f"data={place}", "train.steps=1"])
    study(about.recipe, tmp_path / "out", arms=["x-y"])
    assert set(read_json(tmp_path / "out" / "data.json")) == {
        "source 'texts' (texts)",
        "benchmark 'test' (texts)",
        "checksum",
    }
    other = tmp_path / "other"
    (other / "texts").mkdir(parents=True)
    for path in (place / "texts").iterdir():
        (other / "texts" / path.name).write_text(path.read_text("utf-8").replace("river", "stream"), "utf-8")
    again = load_study(str(place / "own.yaml"), "smoke", [f"data={other}", "train.steps=1"])
    with pytest.raises(InputError, match="begun with other data: source 'texts' has changed"):
        study(again.recipe, tmp_path / "out")


@pytest.mark.slow
def test_a_report_has_the_runs_of_its_own_settings(
    place: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def asked(*more: str) -> Recipe:
        return load_study(str(place / "own.yaml"), "smoke", [f"data={place}", *more]).recipe

    def seeds() -> dict[str, int]:
        return {row["arm"]: row["seeds"] for row in read_json(out / "report.json")["benchmarks"]["test"]["rows"]}

    out = tmp_path / "out"
    study(asked("baselines=[bm25]"), out, arms=["x-y"])
    study(asked("baselines=[bm25]"), out, arms=["x-y"], seeds=[2])
    study(asked("baselines=[bm25]"), out, arms=["x-x"], seeds=[2])
    assert seeds() == {"bm25": 1, "x-y": 2, "x-x": 1}
    with pytest.raises(InputError, match=r"x-x/seed-2: made with train\.steps=3, now train\.steps=2"):
        study(asked("train.steps=2"), out, arms=["x-y"], seeds=[3])
    assert not (out / "arms" / "x-y" / "seed-3").exists()
    shutil.copytree(out / "arms" / "x-y" / "seed-1", out / "arms" / "alignment" / "seed-1")
    recipe = asked()
    with caplog.at_level(logging.WARNING, "triglot"):
        study(replace(recipe, arms={"x-yy": {}, "x-x": recipe.arms["x-x"]}), out, arms=["x-x"])
    assert seeds() == {"x-x": 2}
    for said in (
        "arms/x-y: not among the arms of own-smoke; did you mean 'x-yy'?",
        "baselines/bm25:",
        "arms/alignment:",
    ):
        assert said in caplog.text
    (out / "arms" / "x-x" / "seed-1").rename(out / "arms" / "x-x" / "seed-old")
    with pytest.raises(InputError, match="seed-old: holds results, but is not named after a seed"):
        study(recipe, out, arms=["x-x"])


def test_arms_may_read_files_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        "sources: [{format: pairs, path: a/train.jsonl}]\n"
        "arms: {a: {}, b: {sources.0.path: b/train.jsonl}, c: {sources.0.path: c/train.jsonl}}\n"
    )
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_text(name)
    recipe, data, out = load_recipe(str(tmp_path / "recipe.yaml")), Data(tmp_path), tmp_path / "a" / "out"

    def named(*arms: str) -> dict[str, tuple[str, Path]]:
        return data.named_places([recipe, *(arm_recipe(recipe, arm, 1) for arm in arms)])

    out.mkdir()
    for arms in ("b", "cb", "abc"):
        begin(recipe, arms, out, data)
    assert {f"source 'train.jsonl' ({name}/train.jsonl)" for name in "abc"} < set(read_json(out / "data.json"))
    (tmp_path / "c" / "train.jsonl").write_text("other")
    check_data(out, named("a", "b"))
    with pytest.raises(InputError, match=r"source 'train\.jsonl' has changed since \(.*c/train\.jsonl\)"):
        check_data(out, named("c"))
    older = {"source 'train.jsonl'": "a", "source 'train.jsonl' (train.jsonl)": "b"}
    write_sealed(out / "data.json", {key: fingerprint(tmp_path / name / "train.jsonl") for key, name in older.items()})
    check_data(out, named("b"))
    write_sealed(out / "data.json", dict.fromkeys(older, "0" * 24))
    with pytest.raises(InputError, match=r"has changed since \(.*a/train\.jsonl\)"):
        check_data(out, named("b"))
    check_data(out, {"source '.' (.)": ("source '.'", tmp_path)})  # changes with the folder of the run inside it
    assert "source '.' (.)" not in read_json(out / "data.json")


def test_commands_for_a_scheduler(place: Path) -> None:
    recipe = load_study(str(place / "own.yaml"), "cpu").recipe
    found = waves(recipe, ["x-y", "mean"], [1, 2])
    lines = commands(["triglot", "study", "own.yaml", "--size", "cpu"], "runs/my own", found)
    assert lines[1:3] == [f"triglot study own.yaml --size cpu --out 'runs/my own' --part alignment/{n}" for n in (1, 2)]
    assert [line.rpartition(" ")[2] for line in lines if " --part " in line][2:] == [
        "x-y/1",
        "x-y/2",
        "mean/1",
        "mean/2",
    ]
    assert lines[-1] == "triglot study own.yaml --size cpu --out 'runs/my own'"
    for word, said in (
        ("x-z/1", "no arm 'x-z'; did you mean"),
        ("x-y", "is not ARM/SEED"),
        ("x-y/one", "is not ARM/SEED"),
    ):
        with pytest.raises(InputError, match=said):
            parse_part(word, recipe)


def test_a_budget_takes_whole_seeds_in_turn_and_what_is_made_of_arms_with_them(place: Path) -> None:
    recipe = load_study(str(place / "own.yaml"), "cpu").recipe
    found = waves(recipe, list(recipe.arms), list(recipe.seeds))
    seconds = {part: {"alignment": 10.0, "mean": 1.0}.get(part.arm, 100.0) for wave in found for part in wave}
    left = [str(part) for part, _ in fit(recipe, found, seconds, 330.0, 1).left_out]
    assert left == ["x-x/2", "mean/2", "x-y/3", "x-x/3", "mean/3", "alignment/3"]
    assert fit(recipe, found, seconds, 10_000.0, 1).left_out == ()
    two = fit(recipe, found, seconds, 316.2, 2)  # half of 3 x (100 + 100 + 1) + 3 x 10 is 316.5
    assert [str(part) for part, _ in two.left_out] == ["mean/3"]
    plan = fit(recipe, found, seconds, 330.0, 1)
    assert plan.lines()[0].startswith("Left out, since the budget was 5.5 min: x-x/2 (1.7 min)")
    assert plan.total <= 330
    with pytest.raises(InputError, match="too short for a single run; the shortest takes"):
        fit(recipe, found, seconds, 0.5, 1)


def test_a_budget_goes_first_to_the_arms_that_carry_a_claim(place: Path) -> None:
    asked = job(str(place / "own.yaml"), "cpu", ["arms.mean.of=[x-x]", f"data={place}"])
    assert set(asked.carrying) == {"x-x", "x-y"}
    recipe = asked.recipe
    found = waves(recipe, list(recipe.arms), list(recipe.seeds))
    seconds = {part: {"alignment": 10.0, "mean": 1.0}.get(part.arm, 100.0) for wave in found for part in wave}
    left = [str(part) for part, _ in fit(recipe, found, seconds, 335.0, 1, ("x-x", "mean")).left_out]
    assert left == ["x-y/1", "x-y/2", "x-y/3"]  # all seeds of the two that were named


def test_times_in_words() -> None:
    assert [duration(word) for word in ("90s", "1.5m", "2h", "1 d")] == [90, 90, 7200, 86400]
    assert [told(seconds) for seconds in (12, 600, 7200)] == ["12 s", "10.0 min", "2.0 h"]
    for word in ("2", "h", "-1h", "0s", "1e9h", "2 weeks"):
        with pytest.raises(InputError, match="is no time"):
            duration(word)
    assert Plan({Part("a", 1): 0.0}).lines() == []
    assert (jobs_for(3, 1), jobs_for(0, 0)) == (3, 1)


@pytest.mark.slow
def test_the_command_line(place: Path, tmp_path: Path) -> None:
    done = triglot(*words(place, tmp_path / "o", "--print-commands"))
    assert done.code == 0, done.err
    assert done.out.count("--part") == 4
    assert not (tmp_path / "o").exists()
    done = triglot(*words(place, tmp_path / "o", "--dry-run"))
    assert done.code == 0, done.err
    assert "plan, from a timed probe" in done.out
    assert re.search(r"x-x/1 +\d+ s", done.out)
    assert not (tmp_path / "o").exists()
    done = triglot(*words(place, tmp_path / "o", "--check"))
    assert done.code == 0, done.err
    assert "reached  source 'texts'" in done.out
    done = triglot(*words(place, tmp_path / "o", "--part", "x-y/1"))
    assert (done.code, (tmp_path / "o" / "arms/x-y/seed-1/results.json").is_file()) == (0, True), done.err
    done = triglot(*words(place, tmp_path / "o", "--budget", "1h", "--jobs", "1"))
    assert done.code == 0, done.err
    assert "Is X-Y better than X-X?" in done.out
    assert "undecided" in done.out
    done = triglot("study", "--index", tmp_path / "o", "--out", tmp_path / "index", "--json")
    assert [one["name"] for one in json.loads(done.out)["studies"]] == ["own"]
    assert (tmp_path / "index" / "index.html").is_file()
    done = triglot("study", "--index", place, "--out", tmp_path / "index")
    assert (done.code, "no report.json here" in done.err) == (2, True)
    for more, said in (
        (["--runner", "slurm"], "--runner: 'slurm' is not one of local, ray"),
        (["--budget", "soon"], "is no time"),
    ):
        done = triglot(*words(place, tmp_path / "p", *more))
        assert (done.code, said in done.err) == (2, True), done.err


@pytest.mark.slow
def test_several_at_once(place: Path, tmp_path: Path) -> None:
    """Two processes of this machine; the report tells the same as one process does."""
    about = load_study(str(place / "own.yaml"), "smoke", [f"data={place}"])
    done = triglot(*words(place, tmp_path / "two", "--jobs", "2"))
    assert done.code == 0, done.err
    assert "x-y/1: finished" in done.err
    study(about.recipe, tmp_path / "one", about=about)
    assert pages(tmp_path / "two")["json"]["claims"] == pages(tmp_path / "one")["json"]["claims"]


@pytest.mark.peers
def test_a_ray_cluster_of_two_nodes(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "240")  # on a busy machine
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        assert len([node for node in ray.nodes() if node["Alive"]]) == 2
        about = load_study(str(place / "own.yaml"), "smoke", [f"data={place}"])
        study(about.recipe, tmp_path / "ray", about=about, runner="ray", jobs=2)
    finally:
        ray.shutdown()
        cluster.shutdown()
    study(about.recipe, tmp_path / "one", about=about)
    assert pages(tmp_path / "ray")["json"]["claims"] == pages(tmp_path / "one")["json"]["claims"]
