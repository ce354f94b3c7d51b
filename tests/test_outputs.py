"""The rule for everything that a command writes: what may be replaced, what never, and what a kill leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from triglot import files, outputs
from triglot.files import InputError


def _listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def write_folder(out: Path, text: str, command: str = "evaluate", **given) -> None:
    with outputs.folder(out, command, **given) as place:
        (place / "results.json").write_text(text)
        (place / "x.head").mkdir()
        (place / "x.head" / "head.json").write_text(text)


def write_files(out: Path, text: str, command: str = "mine", **given) -> None:
    report = out.with_name(out.name + ".report.json")
    with outputs.files({"lines": out, "report": report}, command, report="report", **given) as place:
        (place / out.name).write_text(text)
        (place / report.name).write_text(json.dumps({"lines": text}))


def write_pair(out: Path, text: str, command: str = "encode", **given) -> None:
    ids = out.with_suffix(".ids.txt")
    with outputs.files({"vectors": out, "ids": ids}, command, **given) as place:
        (place / out.name).write_text(text)
        (place / ids.name).write_text(f"ids of {text}")


WRITERS = [(write_folder, "results.json"), (write_files, ""), (write_pair, "")]


@pytest.mark.parametrize(("write", "inside"), WRITERS)
def test_what_was_written_is_replaced_and_nothing_else_is_left(
    tmp_path: Path, write: Callable[..., None], inside: str
) -> None:
    out = tmp_path / "deep" / "out.npy"
    write(out, "one")
    first = _listing(tmp_path)
    write(out, "two")
    assert (out / inside if inside else out).read_text() == "two"
    assert _listing(tmp_path) == first
    assert [name for name in first if ".part" in name or ".lock" in name] == []


def test_the_record_lies_in_the_report_where_there_is_one(tmp_path: Path) -> None:
    write_files(tmp_path / "a.jsonl", "one")
    assert _listing(tmp_path) == ["a.jsonl", "a.jsonl.report.json"]
    told = json.loads((tmp_path / "a.jsonl.report.json").read_text())
    assert (told["lines"], told["record"]["command"], told["record"]["files"]["lines"][0]["size"]) == ("one", "mine", 3)


@pytest.mark.parametrize(("write", "inside"), WRITERS)
@pytest.mark.parametrize("force", [False, True])
def test_what_is_not_ours_stays_even_with_force(
    tmp_path: Path, write: Callable[..., None], inside: str, force: bool
) -> None:
    out = tmp_path / "out.npy"
    (out if inside else tmp_path).mkdir(exist_ok=True)
    (out / "thesis.tex" if inside else out).write_text("precious")
    before = _listing(tmp_path)
    with pytest.raises(InputError, match=r"out\.npy: .*which `triglot \w+` did not write"):
        write(out, "new", force=force)
    assert _listing(tmp_path) == before
    assert (out / "thesis.tex" if inside else out).read_text() == "precious"


@pytest.mark.parametrize("write", [write_files, write_pair])
def test_a_foreign_file_in_place_of_the_second_one_is_refused_before_any_work(
    tmp_path: Path, write: Callable[..., None]
) -> None:
    for name in ("out.npy.report.json", "out.ids.txt"):
        (tmp_path / name).write_text("[1]")
    with pytest.raises(InputError, match=r"out\.(npy\.report\.json|ids\.txt): is there already"):
        write(tmp_path / "out.npy", "new")
    assert not (tmp_path / "out.npy").exists()


@pytest.mark.parametrize(("write", "inside"), WRITERS)
def test_what_was_changed_or_added_since_is_not_ours(tmp_path: Path, write: Callable[..., None], inside: str) -> None:
    out = tmp_path / "out.npy"
    write(out, "one")
    changed = out / inside if inside else out
    changed.write_text("two")
    with pytest.raises(InputError, match="was changed since"):
        write(out, "new", force=True)
    changed.write_text("one")
    if inside:
        (out / "x.head" / "notes.txt").write_text("mine")
        with pytest.raises(InputError, match=r"holds x\.head/notes\.txt, which `triglot evaluate` did not write"):
            write(out, "new", force=True)
        (out / "x.head" / "notes.txt").unlink()
        (out / "empty").mkdir()
        with pytest.raises(InputError, match="holds empty, which"):
            write(out, "new", force=True)
        (out / "empty").rmdir()
    write(out, "new")
    assert changed.read_text() == "new"


def test_a_report_that_was_changed_is_not_ours(tmp_path: Path) -> None:
    out, report = tmp_path / "a.jsonl", tmp_path / "a.jsonl.report.json"
    write_files(out, "one")
    told = json.loads(report.read_text())
    report.write_text(json.dumps({**told, "lines": "my notes"}))
    with pytest.raises(InputError, match=r"report\.json: is there already"):
        write_files(out, "two")
    report.unlink()
    with pytest.raises(InputError, match=r"a\.jsonl: is there already"):  # nothing tells any more who wrote it
        write_files(out, "two")


@pytest.mark.parametrize(("write", "inside"), WRITERS)
def test_another_models_and_another_commands_need_force(
    tmp_path: Path, write: Callable[..., None], inside: str
) -> None:
    out = tmp_path / "out.npy"
    write(out, "one", model="a")
    with pytest.raises(InputError, match=r"was written by `triglot \w+` for a; --force replaces it"):
        write(out, "two", model="b")
    with pytest.raises(InputError, match="--force replaces it"):
        write(out, "two", "debias", model="a")
    assert (out / inside if inside else out).read_text() == "one"
    write(out, "two", model="b", force=True)
    write(out, "three", model="b")
    assert (out / inside if inside else out).read_text() == "three"


def test_a_model_is_known_by_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "out", "one", model="model")
    write_folder(tmp_path / "out", "two", model=f"{tmp_path}/model/")


@pytest.mark.parametrize(("write", "inside"), WRITERS)
def test_empty_places_are_taken(tmp_path: Path, write: Callable[..., None], inside: str) -> None:
    out = tmp_path / "out.npy"
    out.mkdir() if inside else out.touch()
    write(out, "new")
    assert (out / inside if inside else out).read_text() == "new"


@pytest.mark.parametrize(("write", "inside"), WRITERS)
def test_an_output_is_never_an_input(tmp_path: Path, write: Callable[..., None], inside: str) -> None:
    out = tmp_path / "out.npy"
    write(out, "one")
    (tmp_path / "link").symlink_to(out)
    held = out / "results.json" if inside else out
    for given in (held, tmp_path / "link", os.path.relpath(out)):
        with pytest.raises(InputError, match="it would replace"):
            write(out, "new", inputs=["bm25", given], force=True)
    assert held.read_text() == "one"
    write(out, "new", inputs=["bm25", "hub:a/b", "", tmp_path])  # a folder that merely holds the output is not replaced


def test_the_second_file_is_no_input_either(tmp_path: Path) -> None:
    source = tmp_path / "x.ids.txt"
    source.write_text("texts")
    with pytest.raises(InputError, match=r"it would replace .*x\.ids\.txt"):
        write_pair(tmp_path / "x.npy", "new", inputs=[source])
    assert source.read_text() == "texts"


@pytest.mark.parametrize(("write", "inside"), WRITERS)
def test_links_are_followed_and_the_rule_applies_to_where_they_lead(
    tmp_path: Path, write: Callable[..., None], inside: str
) -> None:
    link, real = tmp_path / "link.npy", tmp_path / "far" / "real.npy"
    (tmp_path / "far").mkdir()
    link.symlink_to(real)
    write(link, "one")
    write(link, "two")
    assert link.is_symlink()
    assert (real / inside if inside else real).read_text() == "two"
    changed = real / inside if inside else real
    changed.write_text("mine")
    with pytest.raises(InputError, match="was changed since"):
        write(link, "three")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match="is a link that leads to itself"):
        write(tmp_path / "loop", "x")


@pytest.mark.parametrize(("write", "inside"), WRITERS)
def test_special_files_and_wrong_kinds_are_refused(tmp_path: Path, write: Callable[..., None], inside: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=r"pipe: is a pipe, a (file|folder) was expected"):
        write(tmp_path / "pipe", "x")
    (tmp_path / "there").write_text("x") if inside else (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match=r"there: is a (file, a folder|folder, a file) was expected"):
        write(tmp_path / "there", "x")
    for place in ("/dev/null", "/dev/stdout", "/proc/self/fd/1"):
        with pytest.raises(InputError, match="is a place of the system's"):
            write(Path(place), "x")
    assert _listing(tmp_path) == ["pipe", "there"]


@pytest.mark.parametrize(("write", "inside"), WRITERS)
def test_a_place_that_cannot_be_written_is_found_before_the_work(
    tmp_path: Path, write: Callable[..., None], inside: str
) -> None:
    def out_of_reach(*_: object, **__: object) -> None:
        raise AssertionError("the work began")

    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file" / "below", tmp_path / ("n" * 250), tmp_path / ("n" * 300), Path("/proc/1/out")):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(InputError, match=r"cannot be written|is a place of"):
            patch.setattr(Path, "write_text", out_of_reach)
            write(out, "x")
    assert _listing(tmp_path) == ["file"]


def test_the_current_folder_is_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    for out in (".", "..", tmp_path / "a"):
        with pytest.raises(InputError, match="is the current folder or one above it"):
            write_folder(Path(out), "x")


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_folder(Path("~/out"), "x")
    write_pair(Path("~/x.npy"), "x")
    assert {"out", "x.npy", "x.ids.txt"} <= set(_listing(tmp_path))


def test_what_came_while_the_command_worked_stays(tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    with pytest.raises(InputError, match="did not write"), outputs.folder(out, "evaluate") as place:
        (place / "results.json").write_text("new")
        out.mkdir()
        (out / "thesis.tex").write_text("precious")
    assert _listing(tmp_path) == ["out.npy", "out.npy/thesis.tex"]
    with pytest.raises(InputError, match="is there already"), outputs.files({"lines": tmp_path / "a"}, "mine") as place:
        (place / "a").write_text("new")
        (tmp_path / "a").write_text("precious")
    assert (tmp_path / "a").read_text() == "precious"


@pytest.mark.parametrize(("write", "inside"), WRITERS)
def test_two_at_once_cannot_both_write(tmp_path: Path, write: Callable[..., None], inside: str) -> None:
    with files.locked(tmp_path / "out.npy"), pytest.raises(InputError, match="another process is writing there"):
        write(tmp_path / "out.npy", "x")
    write(tmp_path / "out.npy", "x")


def test_files_that_grow_are_taken_over(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "cache.jsonl").write_text("kept")
    for text in ("one", "two"):
        with outputs.folder(out, "augment", record="augment.json", kept=["cache.jsonl"]) as place:
            (place / "x1.jsonl").write_text(text)
            (place / "augment.json").write_text('{"lines": 1}')
            (out / "cache.jsonl").write_text(f"kept {text}")
    assert _listing(out) == ["augment.json", "cache.jsonl", "x1.jsonl"]
    assert (out / "cache.jsonl").read_text() == "kept two"
    assert set(json.loads((out / "augment.json").read_text())["record"]["files"]) == {"x1.jsonl"}


def test_errors_name_the_output_and_not_the_temporary_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as told, outputs.folder(tmp_path / "out", "evaluate") as place:
        files.write_text(place / "a" / "b.txt", "x")
        files.write_text(place / "a" / "b.txt" / "c.txt", "x")
    assert str(told.value).startswith(f"{tmp_path / 'out' / 'a' / 'b.txt' / 'c.txt'}: cannot be written")
    assert not _listing(tmp_path)


class Killed(BaseException):
    """Stands for a kill: nothing is cleared away."""


@pytest.mark.parametrize("write", [write_files, write_pair])
@pytest.mark.parametrize("older", [False, True])
def test_a_switch_of_files_killed_anywhere_is_whole_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., None], older: bool
) -> None:
    second = {write_files: "a.npy.report.json", write_pair: "a.ids.txt"}[write]
    states = set()
    for turn in range(80):
        place = tmp_path / f"{turn}"
        place.mkdir()
        if older:
            write(place / "a.npy", "old")
        reached = 0

        def counted(real: Callable[..., object], turn: int = turn) -> Callable[..., object]:
            def call(*given: object, **more: object) -> object:
                nonlocal reached
                if reached >= turn:
                    raise Killed
                reached += 1
                return real(*given, **more)

            return call

        with monkeypatch.context() as patch:
            patch.setattr(outputs, "locked", lambda place: nullcontext())
            for owner, name in (
                (os, "replace"),
                (Path, "unlink"),
                (outputs.shutil, "rmtree"),
                (os, "open"),
                (os, "fsync"),
            ):
                patch.setattr(owner, name, counted(getattr(owner, name)))
            try:
                write(place / "a.npy", "new")
                done = True
            except Killed:
                done = False
        texts = [(place / name).read_text() if (place / name).exists() else "" for name in ("a.npy", second)]
        kinds = tuple(next((kind for kind in ("old", "new") if kind in text), "") for text in texts)
        assert kinds in {("old", "old"), ("old", ""), ("new", ""), ("new", "new"), *([] if older else [("", "")])}
        states.add(kinds)
        write(place / "a.npy", "newer")
        left = {name for name in _listing(place) if name not in ("a.npy", second)}
        assert left <= ({".a.npy.triglot"} if write is write_pair else set())
        if done:
            break
    else:
        pytest.fail("never done")
    assert ("new", "new") in states
    assert ("new", "") in states
