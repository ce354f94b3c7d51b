from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import pytest
import yaml

from triglot import recipes
from triglot.document import Document, parse_yaml, put, split_word
from triglot.files import InputError, SettingError
from triglot.recipe import parse_recipe
from triglot.settings import build, dump_yaml, plain


@dataclass(frozen=True)
class Leaf:
    size: int = 1
    rate: float = 0.5
    kind: Literal["xx", "xy"] = "xx"
    codes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0:
            raise SettingError("size", f"{self.size} is negative")
        if self.rate < 0:
            raise SettingError("rate", f"{self.rate} is negative")


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
        "leaf: {size: 3}\nmaybe: {rate: 1e-2}\nleaves: [{kind: xy}]\nnamed: {a: {codes: [no, de]}}\noptions: {x: "
        "{y: 1}}\non: true\nname: x"
    )
    assert tree == Tree(
        Leaf(size=3),
        Leaf(rate=0.01),
        (Leaf(kind="xy"),),
        {"a": Leaf(codes=("no", "de"))},
        {"x": {"y": 1}},
        on=True,
        name="x",
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("on: true\nname: &a x", "file.yaml:2: not YAML (anchors and aliases, & and *, are not read)"),
        ("name: *a", "file.yaml:1: not YAML (anchors and aliases"),
        ("options: &a {x: *a}", "file.yaml:1: not YAML (anchors and aliases"),
        ("on: true\n? [a, b]\n: 1", "file.yaml:2: a key is a word, not a list or a mapping"),
        ("options:\n  ? {a: 1}\n  : 1", "file.yaml:2: options: a key is a word"),
        ("options: {1: x}", "file.yaml:1: options.1: a key is text; write it in quotes if it is meant"),
        ("options: {~: x}", "file.yaml:1: options.~: a key is text"),
        ("on: true\nname: a\0b", "file.yaml:2: not YAML (a control character, U+0000)"),
        ("name: a\x1bb", "file.yaml:1: not YAML (a control character, U+001B)"),
        ("name: \ud800", "file.yaml:1: not YAML (a control character, U+D800)"),
        ('on: true\nname: "\\ud800"', "file.yaml:2: name: half a character (a lone surrogate) is no text"),
        ('options: {"\\udc00": 1}', "file.yaml:1: options: half a character"),
        ('name: "\\UFFFFFFFF"', "file.yaml:1: not YAML ("),
        ("name: !!str 3", "file.yaml:1: not YAML (tags, such as !!set, are not read)"),
        ("name: !!timestamp x", "file.yaml:1: not YAML (tags"),
        ("codes: !mine []", "file.yaml:1: not YAML (tags"),
        (f"leaf: {{size: {'9' * 5000}}}", "file.yaml:1: leaf.size: a number of 5,000 digits is too large"),
        (f"options: {'[' * 5000}", "file.yaml:1: not YAML (nested more than 32 deep)"),
        (f"options: {'{a: ' * 5000}", "file.yaml:1: not YAML (nested more than 32 deep)"),
        ("\n".join(f"{' ' * n}a:" for n in range(200)), "file.yaml:32: not YAML (nested more than 32 deep)"),
        ("options: [{x: 1, x: 2}]", "file.yaml:1: options.0.x is given twice"),
        ("options:\n- - a: 1\n    a: 2", "file.yaml:3: options.0.0.a is given twice"),
        ("options: {x: {y: [.nan]}}", "file.yaml:1: options.x.y.0: nan is not a finite number"),
        ("options: {x: 1.0e400}", "file.yaml:1: options.x: inf is not a finite number"),
        (f"options: {{x: 1{'0' * 30}}}", "file.yaml:1: options.x: 1000000000000000000000000000000 is too large"),
        ("x" * 200_000, "file.yaml: longer than 131,072 characters"),
        ("<<: {name: x}", "file.yaml:1: <<: no such setting"),
    ],
)
def test_yaml_that_no_settings_need_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert str(caught.value).startswith(message)


def test_dates_are_words_even_those_that_no_calendar_has() -> None:
    assert (read("name: 2001-01-01").name, read("name: 2001-99-99").name) == ("2001-01-01", "2001-99-99")


def test_few_lines_that_stand_for_gigabytes_are_refused_at_once() -> None:
    laughs = "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi"))
    with pytest.raises(InputError, match=r"^file\.yaml:1: not YAML \(anchors"):
        read(f"a: &a [x, x]\n{laughs}")


def test_no_mutation_of_a_recipe_ends_in_anything_but_an_error_that_names_its_place() -> None:
    draw = random.Random(1)
    whole = recipes.find("demo").read_text(encoding="utf-8")
    odd = [
        ": ",
        "*a",
        "&a ",
        "!!set ",
        "? ",
        "- ",
        "[",
        "}",
        "\0",
        "\x85",
        "'",
        '"\\ud800"',
        "9" * 5000,
        "\t",
        "2001-99-99",
        ".nan",
        "1e999",
        "%",
        "|\n",
    ]
    for _ in range(150):
        at = draw.randrange(len(whole))
        text = whole[:at] + draw.choice(odd) + whole[at + draw.choice([0, 0, 1, 20]) :]
        with suppress(InputError):
            parse_recipe(parse_yaml(text, "file.yaml"))


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


@pytest.mark.parametrize(
    "word",
    [
        "a",
        "=1",
        "a=[",
        "a=*x",
        "a=&x [*x]",
        "a=!!set {b}",
        "a={? [x] : 1}",
        'a="\\ud800"',
        "a=\0",
        f"a={'[' * 999}",
        f"a={'9' * 5000}",
    ],
)
def test_words_that_are_none(word: str) -> None:
    with pytest.raises(InputError, match="command line"):
        split_word(word)


def test_a_key_of_too_many_parts_and_an_index_that_is_none() -> None:
    with pytest.raises(InputError, match=r"^here: a\.a.*: a key of more than 32 parts"):
        put({}, ["a"] * 1000, 1, "here")
    for index in ("²", "9" * 5000, "-1"):
        with pytest.raises(InputError, match="the list has the entries 0 to 0"):
            put({"a": [1]}, ["a", index], 1, "here")


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
    tree = Tree(
        leaf=Leaf(codes=("no", "de"), rate=1e-5), leaves=(Leaf(),), options={"on": "yes", "n": 1e-7}, name="1e3"
    )
    text = dump_yaml(tree)
    assert read(text) == tree
    assert build(Tree, Document(yaml.safe_load(text), "x")) == tree
    assert plain(tree)["leaf"]["codes"] == ["no", "de"]
