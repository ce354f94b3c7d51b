"""One form for naming data: `[NAME=][FORMAT:]PATH`."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from triglot.commands.sources import check_there, named_paths
from triglot.corpus.formats.registry import locate, split_spec
from triglot.files import InputError


@pytest.mark.parametrize(
    ("word", "name", "spec"),
    [
        ("x=data/xquad-r", "x", "data/xquad-r"),
        ("data/xquad-r", "xquad-r", "data/xquad-r"),
        ("data/pairs.jsonl", "pairs", "data/pairs.jsonl"),
        ("x=squad:data/xquad-r", "x", "squad:data/xquad-r"),
        ("squad:data/xquad-r", "xquad-r", "squad:data/xquad-r"),
        ("x=hub:owner/name:sw@main", "x", "hub:owner/name:sw@main"),
        ("hub:owner/name@main", "name", "hub:owner/name@main"),
        ("x=mteb:hub:owner/name", "x", "mteb:hub:owner/name"),
        ("atlas", "atlas", "atlas"),
        ("x=a=b", "x", "a=b"),
    ],
)
def test_a_word_is_a_name_a_format_and_a_path(word: str, name: str, spec: str) -> None:
    assert named_paths([word]) == {name: spec}


@pytest.mark.parametrize(
    ("words", "message"),
    [(["x="], "--on x=: not NAME=PATH"), (["=a"], "--on =a: not NAME=PATH"), (["a/x", "b/x"], "'x' is given twice")],
)
def test_what_is_no_name_or_no_path(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        named_paths(words)


def test_a_path_with_a_colon_or_an_equals_sign_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("squad:notes", "k=v"):
        (tmp_path / name).mkdir()
        assert split_spec(name) == ("", name)
        assert list(named_paths([f"x={name}"]).values()) == [name]
    assert split_spec("C:\\data") == ("", "C:\\data")


def test_the_form_of_the_version_before_is_read_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"query": "a", "positive": "b"}\n')
    with caplog.at_level(logging.WARNING, logger="triglot"):
        assert locate(f"pairs={path}") == locate(f"pairs:{path}") == locate(f"pairs={path}")
    assert caplog.text.count("is written pairs:") == 1


def test_what_is_not_there_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    check_there("atlas", "hub:owner/name", str(tmp_path / ".."), format="beir")
    with pytest.raises(InputError, match="'sqaud' is not a known format; did you mean 'squad'"):
        check_there(f"sqaud:{tmp_path}")
