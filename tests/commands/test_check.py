"""`triglot check` on files."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.command import triglot
from tests.writing import inputs
from triglot.check.run import EXCESS
from triglot.check.verdict import verdict
from triglot.commands.check import check_model


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two models, a benchmark, translations and a collection."""
    root = inputs(tmp_path_factory.mktemp("check"))
    (root / "lines").mkdir()
    words = {
        "de": "Fluss Berg Stadt König Winter Brot Stein Pferd",
        "en": "river mountain city king winter bread stone horse",
    }
    rows = ["lang,text"]
    for code, known in words.items():
        lines = [f"{a} {b}" for a in known.split() for b in known.split()]
        (root / "lines" / f"{code}.txt").write_text("\n".join(lines) + "\n", "utf-8")
        rows += [f"{code},{line}" for line in lines]
    (root / "texts.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (root / "ask.csv").write_text("lang,text\nde,Fluss Stadt\nen,river city\n", "utf-8")
    return root


@pytest.mark.slow
def test_all_three_kinds_of_data(root, tmp_path) -> None:
    words = ["--on", f"b={root / 'squad'}", "--parallel", root / "lines", "--texts", root / "texts.csv", "-q"]
    done = triglot("check", root / "model", *words, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    written = json.loads((tmp_path / "out" / "check.json").read_text("utf-8"))
    kinds = {name: check["kind"] for name, check in written["checks"].items()}
    assert kinds == {"b": "benchmark", "lines": "parallel", "texts.csv": "collection"}
    assert written["verdict"] in {check["verdict"] for check in written["checks"].values()}
    for name, check in written["checks"].items():
        assert name in done.out
        assert check["sentences"][0] in done.out
        assert {"same_language@10", "pool_share", "excess@10", "probe"} <= check["measures"].keys()
    page = (tmp_path / "out" / "check.html").read_text("utf-8")
    assert page.count("<svg") == 3
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert json.loads(triglot("check", root / "model", *words, "--json").out) == {"command": "check", **written}


def test_a_limit_that_is_passed_ends_with_status_one(root) -> None:
    words = ["check", root / "model", "--texts", root / "texts.csv", "-q"]
    assert triglot(*words, "--limit", "same_language@10=1").code == 0
    done = triglot(*words, "--limit", "same_language@10=0.01", "--limit", "excess@10=2")
    assert done.code == 1
    assert "same_language@10 is" in done.err
    assert "above the limit of 0.01" in done.err
    assert "excess" not in done.err
    assert "did you mean 'excess@10'" in triglot(*words, "--limit", "exces@10=1").err


def test_limits_are_numbers_of_measures_that_a_check_has(root) -> None:
    words = ["check", root / "model", "--on", f"b={root / 'squad'}", "--texts", root / "texts.csv", "-q"]
    done = triglot(*words, "--limit", "multi.map=1.5")  # of the benchmark alone
    assert done.code == 1
    assert "b: multi.map is" in done.err
    assert "texts.csv: multi.map" not in done.err
    done = triglot(*words, "--limit", "multi.map=much")
    assert (done.code, "--limit multi.map=much: not MEASURE=NUMBER" in done.err) == (2, True)
    done = triglot("check", root / "model", "--texts", root / "texts.csv", "-q", "--limit", "multi.map=0.1")
    assert (done.code, "texts.csv has no measure 'multi.map'" in done.err) == (2, True)


def test_two_of_one_name_are_refused_and_two_of_one_path_are_not(root) -> None:
    done = triglot("check", root / "model", "--on", f"lines={root / 'squad'}", "--parallel", root / "lines", "-q")
    assert (done.code, "two things to check are called 'lines'" in done.err) == (2, True)
    words = ["--on", f"a={root / 'squad'}", "--on", f"b={root / 'squad'}"]
    done = triglot("check", root / "model", *words, "-q", "--json")
    assert json.loads(done.out)["checks"].keys() == {"a", "b"}


@pytest.mark.slow
def test_the_command_that_would_mend_a_model_works(root, tmp_path) -> None:
    [found] = check_model(str(root / "model"), texts=str(root / "texts.csv"))
    biased = replace(found.check, measures=found.check.measures | {EXCESS: 0.9})
    mend = verdict(biased, str(root / "model"), f"passages:{root / 'texts.csv'}").mend
    assert found.verdict.mend in ("", mend)
    words = mend.split()[1:]
    words[words.index("--out") + 1] = str(tmp_path / "mended")
    done = triglot(*words, "-q")
    assert done.code == 0, done.err
    assert (tmp_path / "mended" / "modules.json").is_file()


def test_questions_of_ones_own(root) -> None:
    done = triglot("check", root / "model", "--texts", root / "texts.csv", "--questions", root / "ask.csv", "-q")
    assert done.code == 0, done.err
    assert "2 questions, 128 texts" in done.out


@pytest.mark.slow
def test_languages_are_detected_where_no_column_names_them(root, tmp_path) -> None:
    known = {
        "de": "Der Hund läuft durch den großen Wald und sucht nach seinem Herrn, der ihn gerufen hat.",
        "en": "The old house stands near the river and nobody has lived there for many years now.",
    }
    lines = [f"{number} {text}" for number in range(30) for text in known.values()]
    (tmp_path / "texts.txt").write_text("\n".join(lines) + "\n", "utf-8")
    done = triglot("check", root / "model", "--texts", tmp_path / "texts.txt", "--languages", "de,en", "-q")
    assert done.code == 0, done.err
    assert "the languages of 60 texts were detected" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to check on"),
        (["--questions", "x.csv"], "nothing to check on"),
        (["--parallel", "{root}/lines", "--questions", "x.csv"], "--questions: goes with --texts"),
        (["--parallel", "{root}/lines", "--languages", "de,fi"], "fewer than two files"),
        (["--texts", "{root}/texts.csv", "--languages", "de"], "in one language"),
        (["--texts", "{root}/texts.csv", "--languages", "fi"], "no text in fi; it has de, en"),
        (["--texts", "{root}/text.csv"], "no such file"),
        (["--texts", "{root}/texts.csv", "--sample", "-1"], "--sample"),
    ],
)
def test_bad_requests(root, words, message) -> None:
    done = triglot("check", root / "model", *(word.format(root=root) for word in words), "-q")
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
