"""`triglot index`: what is refused, and when; what is somebody's own and stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import triglot
from tests.shards.small import WORDS, held, jsonl, model
from triglot.commands import index as command
from triglot.index.store import DiskIndex


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, passages in two languages, an index of them by LSAR, and the model debiased by language."""
    folder = tmp_path_factory.mktemp("index")
    model(folder / "model")
    model(folder / "second", seed=2)
    rows = [
        {"id": f"{code}{n}", "text": " ".join([*known[n % 8 :], str(n)]), "lang": code}
        for code, known in WORDS.items()
        for n in range(60)
    ]
    jsonl(folder / "passages.jsonl", rows)
    jsonl(folder / "more.jsonl", [{"id": "more", "text": "river", "lang": "en"}])
    words = ("--out", folder / "help", "--debias", "lsar", "-q")
    assert triglot("index", folder / "model", folder / "passages.jsonl", *words).code == 0
    pairs = [
        {"query": f"{row['text']} ?", "positive": row["text"], "lang": row["lang"]}
        | {"query_group": f"q{row['id']}", "passage_group": f"p{row['id']}"}
        for row in rows
    ]
    words = ("--method", "centre", "--strength", "1", "--out", folder / "centred", "-q")
    done = triglot("debias", folder / "model", jsonl(folder / "pairs.jsonl", pairs), *words)
    assert done.code == 0, done.err
    return folder


def test_what_is_refused_is_refused_before_the_passages_are_encoded(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "portions", lambda *_, **__: pytest.fail("passages were encoded"))
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "notes.txt").write_text("x")
    source = root / "passages.jsonl"
    for words, message in (
        ((root / "centred", source, "--out", tmp_path / "new", "--debias", "lsar"), "a step of its own, by centre"),
        ((root / "model", source, "--out", tmp_path / "busy"), "holds notes.txt, which `triglot index` did not write"),
        ((root / "model", source, "--out", source), "is a file, a folder was expected"),
        ((root / "second", source, "--out", root / "help"), f"for {root / 'model'}; --force replaces it"),
        ((root / "model", source, "--out", tmp_path / "new", "--debias", "lsarr"), "--debias: 'lsarr' is unknown"),
        ((root / "model", source, "--out", tmp_path / "new", "--debias", "lsarr"), "did you mean 'lsar'"),
        ((root / "model", source, "--out", tmp_path / "new", "--debias", "shift"), "--debias: shift is fitted on tran"),
    ):
        done = triglot("index", *words, "-q")
        assert (done.code, message in done.err) == (2, True), done.err
        monkeypatch.setattr(command, "load_model", lambda *_, **__: pytest.fail("the model was loaded"))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (["--strength", "0.3"], "--strength"),
        (["--kind", "hnsw"], "--kind"),
        (["--no-words"], "words"),
        (["--recall", ".5"], "--recall"),
        (["--debias", "lsar"], "--debias"),
        (["--force"], "--force"),
        (["--languages", "de"], "--languages"),
        (["--device", "cpu"], "--device"),
        (["--add"], "--add"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_an_option_that_would_do_nothing_is_refused(root: Path, tmp_path: Path, given: list[str], name: str) -> None:
    for file in ("gone.txt", "pairs.jsonl"):
        (tmp_path / file).write_text("")
    verbs: list[list[object]] = [
        ["--compact"],
        ["--delete", tmp_path / "gone.txt"],
        ["--accept-groups", tmp_path / "pairs.jsonl"],
        ["--propose-groups", tmp_path / "proposed.jsonl"],
        [root / "model", root / "more.jsonl", "--add"],
    ]
    if name in ("--languages", "--device", "--add"):
        verbs.pop()
    if name == "--force":
        verbs.pop(3)
    before = held(root / "help")
    for verb in verbs:
        done = triglot("index", *verb, "--out", root / "help", *given, "-q")
        assert (done.code, f"{name}: " in done.err) == (2, True), (verb, done.err)
    assert held(root / "help") == before
    assert not (tmp_path / "proposed.jsonl").exists()


def test_proposals_replace_nothing_but_proposals(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    words = ("index", "--out", root / "help", "-q", "--propose-groups")
    path.write_text("mine\n")
    for more in ([], ["--force"]):
        done = triglot(*words, path, *more)
        assert (done.code, "is there already, which `triglot index` did not write" in done.err) == (2, True), done.err
    assert path.read_text() == "mine\n"
    path.unlink()
    for _ in range(2):
        done = triglot(*words, path)
        assert done.code == 0, done.err
    lines = path.read_text("utf-8").splitlines()
    assert {"a", "b", "margin", "texts"} <= json.loads(lines[0]).keys()
    path.write_text("\n".join(lines[1:]) + "\n", "utf-8")
    for more in ([], ["--force"]):
        done = triglot(*words, path, *more)
        assert (done.code, "was changed since `triglot index` wrote it" in done.err) == (2, True), done.err
    assert path.read_text("utf-8").splitlines() == lines[1:]
    assert triglot(*words, root / "help" / "index.json", "--force").code == 2
    assert len(DiskIndex(root / "help")) == 120


def test_another_strength_needs_no_encoding(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/search.md says."""
    kind = type(command.load_model(str(root / "model")))
    plain, asked = kind.encode, []
    monkeypatch.setattr(kind, "encode", lambda self, texts, **more: asked.extend(texts) or plain(self, texts, **more))
    assert triglot("export", root / "help", "--to", "parquet", "--out", tmp_path / "vectors", "-q").code == 0
    words = ["index", root / "model", tmp_path / "vectors", "--out", tmp_path / "half", "--debias", "lsar", "-q"]
    assert triglot(*words, "--strength", ".5").code == 0
    index, whole = DiskIndex(tmp_path / "half"), DiskIndex(root / "help")
    assert not set(asked) & set(whole.get(["de1", "en1"])[0].texts)
    assert (index.stats()["strength"], whole.stats()["strength"]) == (0.5, 1.0)
    assert (index.get(["de1", "en1"])[1] == whole.get(["de1", "en1"])[1]).all()
