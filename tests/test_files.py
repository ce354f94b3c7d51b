"""Reading names the line; writing is whole or absent."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot import files
from triglot.files import (
    InputError,
    atomic_folder,
    atomic_write,
    beside,
    expand,
    nearest,
    read_json,
    read_jsonl,
    read_lines,
    write_json,
    write_text,
)


def test_nearest_names_the_known_word_or_all_of_them() -> None:
    assert nearest("hybird", ["xx", "hybrid"]) == "; did you mean 'hybrid'?"
    assert nearest("something", ["xy", "xx"]) == "; known: xx, xy"
    assert nearest("something", []) == ""


# --- reading


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_lines_are_numbered_and_lose_mark_and_newline(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(pack("\ufeffé\r\n\n\u2028x\ufeff\nlast".encode()))
    assert list(read_lines(path)) == [(1, "é"), (2, ""), (3, "\u2028x\ufeff"), (4, "last")]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\ufeff", exclude_categories=["Cs"]))))
def test_lines_come_back_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.txt.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    assert [line for _, line in read_lines(path)] == lines


def test_a_pipe_can_be_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(b"one\ntwo\n"),))
    writer.start()
    assert [line for _, line in read_lines(pipe)] == ["one", "two"]
    writer.join()


def test_bad_utf8_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin1.tsv"
    path.write_bytes("eins\nzwei\nMünchen\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin1\.tsv:3: not UTF-8 \(byte 0xfc\)"):
        list(read_lines(path))
    with pytest.raises(InputError, match=r"latin1\.tsv:3: not UTF-8"):
        read_json(path)
    path.write_bytes("eins\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"latin1\.tsv:1: not UTF-8 \(byte 0xff\)"):
        list(read_lines(path))


def _numbers(path: Path) -> bytes:
    """A gzip file of 50,000 numbered lines, at `path` too."""
    packed = gzip.compress(b"".join(b"%d\n" % n for n in range(1, 50_001)))
    path.write_bytes(packed)
    return packed


def _broken(path: Path, packed: bytes) -> tuple[list[tuple[int, str]], str]:
    """The lines that come before the break, and what reading says then."""
    path.write_bytes(packed)
    seen = []
    with pytest.raises(InputError, match="broken or truncated after line") as caught:
        seen.extend(read_lines(path))
    with pytest.raises(InputError, match="broken or truncated"):
        read_json(path)
    return seen, str(caught.value)


def test_truncated_gzip_names_the_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    packed = _numbers(path)
    seen, message = _broken(path, packed[: len(packed) // 2])
    assert seen == [(n, str(n)) for n in range(1, len(seen) + 1)]
    assert 10_000 < len(seen) < 50_000
    assert message.startswith(f"{path}: broken or truncated after line {len(seen)} (")


def test_damaged_gzip_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    whole = _numbers(path)
    for place in (len(whole) // 2, len(whole) - 5):  # in the middle, and in the check sum
        _broken(path, whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])


def test_json_names_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"a": 1,\n "b" 2}')
    with pytest.raises(InputError, match=r"a\.json:2: not JSON \(.*column 6\)"):
        read_json(path)
    path.write_text('\ufeff{"a": 1}', "utf-8")
    assert read_json(path) == {"a": 1}


def test_jsonl_passes_blank_lines_and_names_a_bad_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n[2]\n{"a":\n')
    lines = read_jsonl(path)
    assert [next(lines), next(lines)] == [(1, {"a": 1}), (3, [2])]
    with pytest.raises(InputError, match=r"a\.jsonl:4: not JSON"):
        next(lines)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (r'"\ud800 who"', r"\\ud800 is half a surrogate pair"),
        (r'"\\\uDFFF"', r"\\uDFFF is half"),
        (r'"\ude00\ud83d"', r"\\ude00 is half"),
        (r'"\ud83d,\ude00"', r"half"),
        ("[" * 200 + "]" * 200, r"nested more than 100 deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, r"nested more than 100 deep"),
        ("-" + "9" * 5_000, r"a number of 5,001 digits"),
        ("NaN", r"NaN is not a number"),
        ("-Infinity", r"-Infinity is not a number"),
        ("-1e999", r"-1e999 is too large"),
        ('"a\0b"', r"not JSON|NUL byte"),
    ],
)
def test_json_that_no_reader_can_use_names_its_line(tmp_path: Path, value: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(f'{{"text": "NaN {"9" * 200} 1e999",\n\n "b": {value}}}', "utf-8")
    line = "" if "nested" in message else ":3"
    with pytest.raises(InputError, match=rf"a\.json{line}: .*({message})"):
        read_json(path)
    path.write_text(f'{{"a": 1}}\n{{"b": {value}}}\n', "utf-8")
    with pytest.raises(InputError, match=rf"a\.json:2: .*({message.replace('|NUL byte', '')})"):
        list(read_jsonl(path))


def test_json_keeps_what_only_looks_odd(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(r'{"a": "\ud83d\ude00 \\ud800 \u0000", "b": ' + "[" * 99 + "1e300" + "]" * 99 + "}", "utf-8")
    value = read_json(path)
    assert value["a"] == "\U0001f600 \\ud800 \0"
    path.write_text("[" + ",".join(["[]"] * 1_000) + "]")
    assert read_json(path) == [[]] * 1_000


def test_what_unpacks_to_more_than_a_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.gz"
    monkeypatch.setattr(files, "LONGEST_LINE", 2**20)
    monkeypatch.setattr(files, "LARGEST_DOCUMENT", 2**21)
    with gzip.open(path, "wb", compresslevel=1) as handle:
        handle.write(b"one\n")
        for _ in range(64):
            handle.write(bytes(2**20))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a\.gz:2: a line of more than 1 MiB"):
        list(read_lines(path))
    with pytest.raises(InputError, match=r"a\.gz:2: a NUL byte"):
        read_json(path)
    with gzip.open(path, "wb", compresslevel=1) as handle:
        for _ in range(16):
            handle.write(b" " * 2**20)
    with pytest.raises(InputError, match=r"more than 2 MiB, too large for one document; use JSON lines"):
        read_json(path)
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()
    monkeypatch.undo()
    path.write_bytes(gzip.compress(b"x" * 2**23))
    assert [len(line) for _, line in read_lines(path)] == [2**23]


def test_a_name_with_a_nul_is_refused() -> None:
    with pytest.raises(InputError, match="no file can have this name"):
        read_json("a\0b.json")


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text("{}")
    with pytest.raises(InputError, match=r"trian\.json: no such file; did you mean 'train\.json'\?"):
        read_json(tmp_path / "trian.json")
    with pytest.raises(InputError, match="is a folder"):
        read_json(tmp_path)
    with pytest.raises(InputError, match=r"no such file$"):
        list(read_lines(tmp_path / "nowhere" / "a.tsv"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_locked_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{}")
    path.chmod(0)
    with pytest.raises(InputError, match=r"a\.json: cannot be read"):
        read_json(path)


# --- writing


def _listing(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with atomic_write(path) as handle:
        handle.write("één\n")
        assert not path.exists()
    assert path.read_bytes() == "één\n".encode()
    assert _listing(tmp_path) == ["new", "new/a.txt"]
    with atomic_write(path, "wb") as handle:
        handle.write(b"\0")
    assert path.read_bytes() == b"\0"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, InputError])
def test_a_failing_block_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(failure), atomic_write(path) as handle:
        handle.write("half")
        handle.flush()
        raise failure
    assert path.read_text() == "old"
    assert _listing(tmp_path) == ["a.txt"]


def test_a_killed_process_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    code = f"""
import os, signal
from triglot.files import atomic_write
with atomic_write({str(path)!r}) as handle:
    handle.write("half"); handle.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert path.read_text() == "old"


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, InputError])
def test_a_failing_block_leaves_the_old_folder_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "model"
    with atomic_folder(path) as folder:
        write_text(folder / "weights", "old")
    with pytest.raises(failure), atomic_folder(path) as folder:
        write_text(folder / "weights", "half")
        raise failure
    assert (path / "weights").read_text() == "old"
    assert _listing(tmp_path) == ["model", "model/weights"]


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for name in ("one", "two"):
        with atomic_folder(path) as folder:
            write_text(folder / name, name)
    assert _listing(tmp_path) == ["model", "model/two"]


@pytest.mark.parametrize("failure", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_a_swap_that_fails_half_way_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    path = tmp_path / "model"
    with atomic_folder(path) as folder:
        write_text(folder / "weights", "old")
    replace = os.replace

    def failing(source: Path, target: Path) -> None:
        if target == path and ".part" in str(source):
            raise failure
        replace(source, target)

    with pytest.raises((InputError, KeyboardInterrupt)), atomic_folder(path) as folder:
        (folder / "weights").write_text("new")
        # A system that cannot exchange two folders in one step.
        monkeypatch.setattr(files, "_swap", lambda new, old: False)
        monkeypatch.setattr(files.os, "replace", failing)
    assert (path / "weights").read_text() == "old"
    assert _listing(tmp_path) == ["model", "model/weights"]


def test_a_file_is_never_replaced_by_a_folder_nor_a_folder_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(InputError, match=r"notes\.txt: is a file"), atomic_folder(tmp_path / "notes.txt"):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"folder: cannot be written"):
        write_text(tmp_path / "folder", "x")
    assert (tmp_path / "notes.txt").read_text() == "precious"
    assert _listing(tmp_path) == ["folder", "notes.txt"]


def test_an_error_about_another_file_is_not_blamed_on_the_output(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="elsewhere"), atomic_write(tmp_path / "out" / "a.txt"):
        (tmp_path / "elsewhere").read_text()
    assert _listing(tmp_path) == ["out"]


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")
    with pytest.raises(InputError, match=r"results\.json: cannot be written"):
        write_json(tmp_path / "runs" / "results.json", {})
    with (
        pytest.raises(InputError, match=r"model: cannot be written"),
        atomic_folder(tmp_path / "runs" / "deep" / "model"),
    ):
        pass
    assert (tmp_path / "runs").read_text() == "not a folder"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
def test_a_folder_without_write_permission_is_named(tmp_path: Path) -> None:
    path = tmp_path / "locked" / "a.json"
    write_json(path, {"old": 1})
    tmp_path.chmod(0o755)
    path.parent.chmod(0o555)
    code = """
import os, sys
import triglot.files
if os.geteuid() == 0:
    os.setuid(65534)
try:
    triglot.files.write_json(sys.argv[1], {})
except triglot.files.InputError as error:
    print(error)
"""
    parents = [
        p for p in tmp_path.parents if os.geteuid() == 0 and not p.stat().st_mode & 0o001 and p.owner() == "root"
    ]
    modes = {p: p.stat().st_mode for p in parents}
    try:
        for parent in parents:  # the runner's own temporary folders are closed to others
            parent.chmod(0o711)
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    finally:
        for parent, mode in modes.items():
            parent.chmod(mode)
        path.parent.chmod(0o755)
    assert done.stdout == f"{path}: cannot be written (Permission denied)\n", done.stderr
    assert json.loads(path.read_text()) == {"old": 1}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB, which only root can make."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        not shutil.which("mount")
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no right to mount a small disk (root on Linux has it)")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_leaves_the_old_file_and_folder(small_disk: Path) -> None:
    write_text(small_disk / "a.txt", "old")
    with atomic_folder(small_disk / "model") as folder:
        write_text(folder / "weights", "old")
    before = _listing(small_disk)
    with pytest.raises(InputError, match=r"a\.txt: cannot be written \(No space left on device\)"):
        write_text(small_disk / "a.txt", "x" * 100_000)
    with (
        pytest.raises(InputError, match=r"model: cannot be written \(No space left on device\)"),
        atomic_folder(small_disk / "model") as folder,
    ):
        (folder / "weights").write_text("x" * 100_000)
    assert (small_disk / "a.txt").read_text() == (small_disk / "model" / "weights").read_text() == "old"
    assert _listing(small_disk) == before


def test_json_keeps_order_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": "ü", "a": [1.5, None]})
    assert path.read_text("utf-8") == '{\n  "b": "ü",\n  "a": [\n    1.5,\n    null\n  ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert read_json(path)["b"] == "ü"


# --- one writer at a time, and what killed writers leave


def test_only_one_process_writes_a_place_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        f"import time; from triglot.files import locked\nwith locked({str(tmp_path / 'out')!r}):\n print('in', "
        "flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(InputError, match="another process is writing there"), files.locked(tmp_path / "out"):
            pass
        with files.locked(tmp_path / "other"):
            pass
    finally:
        other.kill()
        other.communicate()
    with files.locked(tmp_path / "out"):
        assert _listing(tmp_path) == [".out.lock"]
    assert _listing(tmp_path) == []


def test_what_killed_writers_left_is_cleared_and_a_folder_moved_aside_comes_back(tmp_path: Path) -> None:
    (tmp_path / ".model.abcd1234.old").mkdir()
    (tmp_path / ".model.abcd1234.old" / "weights").write_text("old")
    (tmp_path / ".model.efgh5678.part").mkdir()
    for name in (".other.efgh5678.part", ".model.part", "model.efgh5678.part"):
        (tmp_path / name).write_text("somebody else's")
    files.sweep(tmp_path / "model")
    (tmp_path / "model" / ".results.json.zzzz0000.part").write_text("half")
    files.sweep(tmp_path / "model")
    assert _listing(tmp_path) == [
        ".model.part",
        ".other.efgh5678.part",
        "model",
        "model.efgh5678.part",
        "model/weights",
    ]


def test_a_home_folder_stands_behind_a_name_and_a_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    assert expand("x=squad:~/data") == "x=squad:/h/data"
    assert expand("squad:~/data") == "squad:/h/data"
    assert expand("hub:owner/name") == "hub:owner/name"


def test_few_names_in_a_folder_are_listed_and_many_are_not(tmp_path: Path) -> None:
    (tmp_path / "corpus.csv").touch()
    assert beside(tmp_path / "zzz") == "; known: corpus.csv"
    for number in range(20):
        (tmp_path / f"n{number}").touch()
    assert beside(tmp_path / "zzz") == ""
    assert beside(tmp_path / "corpus.cvs") == "; did you mean 'corpus.csv'?"
