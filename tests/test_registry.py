"""Tables of rows: names, hints, and rows of other packages."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from triglot.files import InputError
from triglot.registry import Registry, later


@dataclass(frozen=True)
class Colour:
    name: str
    title: str = ""
    help: str = ""
    hue: int = 0


RED, BLUE = Colour("red"), Colour("blue", hue=240)


def colours(*rows: Colour, group: str = "colours") -> Registry[Colour]:
    return Registry(Colour, group=group, what="colour", rows=rows or (RED, BLUE))


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, points: str, code: str = "", name: str = "paint") -> None:
    """A package with entry points, as pip would have installed it."""
    (folder / f"{name}_of_others.py").write_text(f"from {__name__} import Colour\n{code}")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[triglot.colours]\n{points}\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


def test_rows_by_name_in_their_order() -> None:
    registry = colours()
    assert registry.names() == ("red", "blue")
    assert list(registry) == [RED, BLUE]
    assert (registry["blue"], registry.find(RED), len(registry)) == (BLUE, RED, 2)
    assert "red" in registry
    assert "green" not in registry
    green = registry.add(Colour("green"))
    assert list(registry) == [RED, BLUE, green]
    assert registry.own == (RED, BLUE, green)
    registry.remove("green")
    assert registry.names() == ("red", "blue")


def test_a_row_that_is_passed_in_needs_no_place() -> None:
    assert colours().find(Colour("own")).name == "own"


def test_an_unknown_name_has_the_nearest() -> None:
    with pytest.raises(InputError, match="'bleu' is not a known colour; did you mean 'blue'"):
        colours()["bleu"]
    with pytest.raises(InputError, match="known: blue, red"):
        colours()["xyz"]


def test_a_name_is_taken_once() -> None:
    with pytest.raises(InputError, match="there is a colour 'red' already"):
        colours().add(Colour("red"))


def test_rows_of_other_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = colours()
    assert registry.names() == ("red", "blue")
    points = "pink = paint_of_others:PINK\nash = paint_of_others:made"
    install(tmp_path, monkeypatch, points, "PINK = Colour('pink')\nmade = lambda: Colour('ash', hue=3)\n")
    monkeypatch.delitem(sys.modules, "paint_of_others", raising=False)
    assert registry.names() == ("red", "blue", "ash", "pink")
    assert "paint_of_others" not in sys.modules
    assert registry["ash"].hue == 3
    assert registry["pink"] in list(registry)
    assert colours(group="").names() == ("red", "blue")
    with pytest.raises(InputError, match="did you mean 'pink'"):
        registry["pnik"]
    with pytest.raises(InputError, match="there is a colour 'pink' already"):
        registry.add(Colour("pink"))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("pink = paint_of_others:missing", r"paint: entry point 'pink' of triglot\.colours .* loaded: AttributeError"),
        ("pink = no_such_module:PINK", "cannot be loaded: ModuleNotFoundError"),
        ("pink = paint_of_others:TEXT", "leads to no Colour of that name"),
        ("pink = paint_of_others:ROSE", "leads to no Colour of that name"),
        ("red = paint_of_others:ROSE", "there is a colour 'red' already"),
    ],
)
def test_faults_of_other_packages_name_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, points, message) -> None:
    install(tmp_path, monkeypatch, points, "TEXT = 'pink'\nROSE = Colour('rose')\n")
    monkeypatch.delitem(sys.modules, "paint_of_others", raising=False)
    with pytest.raises(InputError, match=message):
        list(colours())


def test_a_function_that_is_imported_when_called() -> None:
    assert later("json:dumps")([1], indent=None) == "[1]"
    assert later("json:dumps").__name__ == "dumps"
