"""Results in MTEB's layout: read by MTEB itself where it is installed, and the same figures as ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.report.synthetic import write_run
from triglot.cli import app
from triglot.files import InputError, read_json, write_json
from triglot.report import find_arms, write_mteb
from triglot.report.mteb import language_script, task_results


@pytest.fixture(scope="module")
def written(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mteb")
    write_mteb(find_arms([study]), out)
    return out


def test_a_setting_is_a_task_and_its_mean_over_subsets_is_the_macro_average(study: Path, written: Path) -> None:
    for arm, seed in (("x-x", 1), ("hybrid", 3)):
        ours = read_json(study / "arms" / arm / f"seed-{seed}" / "results.json")["benchmarks"]["toy"]
        for setting, subsets in (("mono", 3), ("cross", 6), ("multi", 3)):
            found = read_json(written / "results" / f"triglot__{arm}" / f"seed-{seed}" / f"toy-{setting}.json")
            scores = found["scores"]["test"]
            assert (found["task_name"], len(scores)) == (f"toy-{setting}", subsets)
            assert np.mean([one["main_score"] for one in scores]) == pytest.approx(ours[setting]["map"])
            assert np.mean([one["recall_at_10"] for one in scores]) == pytest.approx(ours[setting]["r@10"])
            assert np.mean([one["hit_rate_at_1"] for one in scores]) == pytest.approx(ours[setting]["hit@1"])
    pairs = read_json(written / "results/triglot__x-x/seed-1/toy-cross.json")["scores"]["test"]
    pair = next(one for one in pairs if one["hf_subset"] == "de-th")
    assert pair["languages"] == ["deu-Latn", "tha-Thai"]
    multi = read_json(written / "results/triglot__x-x/seed-1/toy-multi.json")["scores"]["test"]
    assert all(one["rank_distance"] > 0 for one in multi)
    assert not (written / "results/triglot__bm25/no_revision_available/toy-cross.json").exists()
    assert read_json(written / "results/triglot__x-x/seed-1/model_meta.json")["n_parameters"] == 33_554_432


def test_runs_and_classification_have_their_own_main_score() -> None:
    ranked = {"ranked": {"sw": {"ndcg@10": 0.5, "r@100": 0.9, "map": 0.4}}}
    (found,) = task_results("miracl", {}, ranked).values()
    assert found["scores"]["test"][0]["main_score"] == 0.5
    assert found["scores"]["test"][0]["ndcg_at_10"] == 0.5
    cells = {
        "mono": {"de": {"accuracy": 0.7, "macro_f1": 0.6}},
        "cross": {"de": {"fr": {"accuracy": 0.5, "macro_f1": 0.4}}},
    }
    tasks = task_results("xnli", {"notes": ["a note"]}, cells)
    assert tasks["xnli-cross"]["scores"]["test"][0]["main_score"] == 0.5
    assert tasks["xnli-mono"]["triglot"]["notes"] == ["a note"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ar", "ara-Arab"),
        ("de", "deu-Latn"),
        ("el", "ell-Grek"),
        ("zh", "zho-Hans"),
        ("zh-Hant", "zho-Hant"),
        ("ko", "kor-Hang"),
        ("sr_Latn", "srp-Latn"),
        ("fa", "fas-Arab"),
        ("sw", "swa-Latn"),
        ("tl", "tgl-Latn"),
        ("ru", "rus-Cyrl"),
        ("pt-BR", "por-Latn"),
        ("xx", "xx-Zyyy"),
        ("yor", "yor-Latn"),
    ],
)
def test_language_codes(code: str, expected: str) -> None:
    assert language_script(code) == expected


def test_the_command_writes_them(study: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["compare", str(study / "arms" / "x-x"), "--mteb", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "out" / "results" / "triglot__x-x").glob("seed-*/toy-*.json"))) == 9


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", "x-x", groups=4)
    (run / "toy.languages.json").unlink()
    with pytest.raises(InputError, match=r"no toy\.languages\.json"):
        write_mteb(find_arms([run]), tmp_path / "out")
    same = [write_run(tmp_path / parent / "x-x", "x-x", groups=4) for parent in ("a", "b")]
    for folder in same:
        write_json(folder / "toy.languages.json", {})
    arms = find_arms(same)
    with pytest.raises(InputError, match=r"is .* already"):
        write_mteb([arms[0], arms[0]], tmp_path / "out")


@pytest.mark.peers
def test_mteb_reads_them(study: Path, written: Path) -> None:
    mteb = pytest.importorskip("mteb")
    ours = read_json(study / "arms" / "hybrid" / "seed-2" / "results.json")["benchmarks"]["toy"]
    path = written / "results" / "triglot__hybrid" / "seed-2"
    for setting in ("mono", "cross", "multi"):
        found = mteb.TaskResult.from_disk(path / f"toy-{setting}.json")
        assert found.get_score() == pytest.approx(ours[setting]["map"])
        assert set(found.languages) == {"eng", "deu", "tha"}
    by_language = read_json(study / "arms" / "hybrid" / "seed-2" / "toy.languages.json")
    assert mteb.TaskResult.from_disk(path / "toy-mono.json").get_score(languages=["deu"]) == pytest.approx(
        by_language["mono"]["de"]["map"]
    )
    results = mteb.ResultCache(written).load_results(include_remote=False)
    assert {(one.model_name, one.model_revision) for one in results.model_results} == {
        *((f"triglot/{arm}", f"seed-{seed}") for arm in ("alignment", "x-x", "x-y", "hybrid") for seed in (1, 2, 3)),
        ("triglot/bm25", "no_revision_available"),
    }
    frame = results.to_dataframe().set_index("task_name")
    values = [
        read_json(study / "arms" / "x-y" / f"seed-{n}" / "results.json")["benchmarks"]["toy"]["cross"]["map"]
        for n in (1, 2, 3)
    ]
    assert any(frame.loc["toy-cross", "triglot/x-y"] == pytest.approx(value) for value in values)


@pytest.mark.peers
def test_languages_are_mteb_s() -> None:
    pytest.importorskip("mteb")
    from mteb.languages import ISO_TO_LANGUAGE
    from mteb.languages.check_language_code import check_language_code

    codes = "ar bg bn de el en es fa fi fr hi id ja ko ro ru sw te th tl tr ur vi yo zh"
    for code in codes.split():
        check_language_code(language_script(code))
        assert language_script(code)[:3] in ISO_TO_LANGUAGE
