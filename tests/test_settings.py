from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
import yaml

from triglot.files import InputError
from triglot.settings import Document, build, dump_yaml, parse_yaml, plain, put, split_word


@dataclass(frozen=True)
class Leaf:
    size: int = 1
    rate: float = 0.5
    kind: Literal["xx", "xy"] = "xx"
    codes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0:
            raise InputError(f"leaf.size: {self.size} is negative")
        if self.rate < 0:
            raise InputError(f"rate: {self.rate} is negative")


@dataclass(frozen=True)
class Tree:
    leaf: Leaf = field(default_factory=Leaf)
    maybe: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    named: Mapping[str, Leaf] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    on: bool = False
    name: str = ""


def read(text: str) -> Tree:
    return build(Tree, parse_yaml(text, "file.yaml"))


def test_every_shape_is_built() -> None:
    tree = read(
        "leaf: {size: 3}\nmaybe: {rate: 1e-2}\nleaves: [{kind: xy}]\nnamed: {a: {codes: [no, de]}}\noptions: {x: {y: 1}}\non: true\nname: x"
    )
    assert tree == Tree(
        Leaf(size=3), Leaf(rate=0.01), (Leaf(kind="xy"),), {"a": Leaf(codes=("no", "de"))}, {"x": {"y": 1}}, on=True, name="x"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("leef: {}", "file.yaml:1: leef: no such setting; did you mean 'leaf'?"),
        ("leaf: {sise: 1}", "file.yaml:1: leaf.sise: no such setting; did you mean 'size'?"),
        ("on: true\nmaybe:\n  rat: 1", "file.yaml:3: maybe.rat: no such setting; did you mean 'rate'?"),
        ("leaves:\n- size: 1\n- knid: xx", "file.yaml:3: leaves.1.knid: no such setting; did you mean 'kind'?"),
        ("named:\n  a:\n    sizes: 1", "file.yaml:3: named.a.sizes: no such setting; did you mean 'size'?"),
        ("leaf: {size: many}", "file.yaml:1: leaf.size: 'many' is not a whole number"),
        ("leaf: {size: 1.5}", "file.yaml:1: leaf.size: 1.5 is not a whole number"),
        ("leaf: {size: true}", "file.yaml:1: leaf.size: true is not a number"),
        ("leaf: {rate: fast}", "file.yaml:1: leaf.rate: 'fast' is not a number"),
        ("leaf: {kind: xz}", "file.yaml:1: leaf.kind: 'xz' is not one of xx, xy"),
        ("leaf: {codes: de}", "file.yaml:1: leaf.codes: 'de' is not a list"),
        ("leaf: 3", "file.yaml:1: leaf: 3 is not a block of settings"),
        ("leaf: null", "file.yaml:1: leaf: None is not a block of settings"),
        ("name: 3", "file.yaml:1: name: 3 is not text (quote it if it is)"),
        ("on: 3", "file.yaml:1: on: 3 is not true or false"),
        ("leaf: {size: -1}", "file.yaml:1: leaf.size: -1 is negative"),
        ("leaves: [{rate: -1}]", "file.yaml:1: leaves.0.rate: -1.0 is negative"),
        ("name: a\nname: b", "file.yaml:2: name is given twice"),
        ("leaf: {size: 1, size: 2}", "file.yaml:1: leaf.size is given twice"),
        ("name: [", "file.yaml:1: not YAML"),
        ("- a", "file.yaml: settings are `key: value` lines"),
        ("name: !!python/object:os.system {}", "file.yaml:1: not YAML"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert str(caught.value).startswith(message)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read("leaf: {size: many, rate: fast}\nname: 3")
    assert len(str(caught.value).splitlines()) == 3


def test_an_empty_file_is_all_defaults() -> None:
    assert read("# nothing") == Tree()


@pytest.mark.parametrize(
    ("word", "pair"),
    [
        ("a.b=1", ("a.b", 1)),
        ("a=1e-2", ("a", 0.01)),
        ("a=3.0e-5", ("a", 3e-5)),
        ("a=no", ("a", "no")),
        ("a=true", ("a", True)),
        ("a=null", ("a", None)),
        ("a=[x, y]", ("a", ["x", "y"])),
        ("a={b: 1}", ("a", {"b": 1})),
        ("a=b=c", ("a", "b=c")),
        ("a=", ("a", None)),
    ],
)
def test_words(word: str, pair: tuple[str, Any]) -> None:
    assert split_word(word) == pair


@pytest.mark.parametrize("word", ["a", "=1", "a=["])
def test_words_that_are_none(word: str) -> None:
    with pytest.raises(InputError, match="command line"):
        split_word(word)


def test_put_reaches_into_lists_and_makes_what_is_missing() -> None:
    value: dict[str, Any] = {"a": [{"b": 1}], "n": None}
    put(value, ["a", "0", "b"], 2, "here")
    put(value, ["x", "y"], 3, "here")
    put(value, ["a", "0"], {"c": 1}, "here")
    assert value == {"a": [{"c": 1}], "n": None, "x": {"y": 3}}
    for path, message in (
        (["a", "1"], "the entries 0 to 0"),
        (["a", "b"], "entries 0 to 0"),
        (["n", "y"], "n is null"),
        (["x", "y", "z"], "x.y is 3"),
    ):
        with pytest.raises(InputError, match=message):
            put(value, path, 1, "here")


def test_dump_is_read_back_the_same_even_by_another_yaml() -> None:
    tree = Tree(leaf=Leaf(codes=("no", "de"), rate=1e-5), leaves=(Leaf(),), options={"on": "yes", "n": 1e-7}, name="1e3")
    text = dump_yaml(tree)
    assert read(text) == tree
    assert build(Tree, Document(yaml.safe_load(text), "x")) == tree
    assert plain(tree)["leaf"]["codes"] == ["no", "de"]
