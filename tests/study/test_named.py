"""Studies of several sizes: which keys a size has, what is refused, and that every shipped one is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from triglot import recipes
from triglot.document import parse_yaml
from triglot.files import InputError
from triglot.study.named import load_study, sized, sizes_of

STUDY = """study:
  question: Is it so?
  claims:
    own: {statement: A beats B., parts: [{arm: a, than: [b]}]}
    settings-counted: null
languages: [de, en]
sources: [{format: atlas}]
train: {steps: 10, lr: 0.1}
arms:
  a: {train.lr: 0.2}
  b: {}
  c: {}
sizes:
  smoke:
    train: {steps: 3}
    languages: [en]
    arms: {c: null, a: {train.lr: 0.3}}
  cpu: {}
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "own.yaml").write_text(STUDY, encoding="utf-8")
    return str(tmp_path / "own.yaml")


def test_a_size_has_its_own_keys_and_those_of_all(path: str) -> None:
    small, large = load_study(path, "smoke").recipe, load_study(path, "cpu").recipe
    assert (small.train.steps, small.train.lr, small.languages) == (3, 0.1, ("en",))
    assert (large.train.steps, large.languages) == (10, ("de", "en"))
    assert small.arms == {"a": {"train.lr": 0.3}, "b": {}}
    assert list(large.arms) == ["a", "b", "c"]
    assert (small.name, large.name) == ("own-smoke", "own-cpu")
    assert [claim.id for claim in load_study(path, "cpu").claims] == ["own", "settings-counted"]


@pytest.mark.parametrize(
    ("change", "size", "said"),
    [
        (("", ""), "", "--size: .* has several sizes; choose one of smoke, cpu"),
        (("", ""), "smok", "did you mean 'smoke'"),
        (("steps: 3", "stps: 3"), "smoke", r"own.yaml:15: .*stps: no such setting; did you mean 'steps'"),
        (("arm: a,", "arm: z,"), "cpu", "claim own: no arm 'z'"),
        (("settings-counted: null", "settings-cunted: null"), "cpu", "no claim 'settings-cunted'; did you mean"),
        (("than: [b]", "than: [b], of: x"), "cpu", r"own.yaml:4: .*of"),
        (("question: Is it so?", "question: ''"), "cpu", "question: is empty"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(path: str, change: tuple[str, str], size: str, said: str) -> None:
    Path(path).write_text(STUDY.replace(*change) if change[0] else STUDY, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        load_study(path, size)


def test_lines_of_a_size_are_those_of_the_file() -> None:
    document = sized(parse_yaml(STUDY, "own.yaml"), "smoke")
    assert document.where("train.steps") == "own.yaml:15"
    assert document.where("train.lr") == "own.yaml:8"


@pytest.mark.parametrize("name", recipes.study_names())
def test_shipped_studies_are_whole(name: str) -> None:
    assert sizes_of(name) == ["smoke", "cpu", "full"]
    for size in sizes_of(name):
        found = load_study(name, size)
        assert found.settings is not None
        assert found.settings.question.endswith("?")
        assert found.settings.would_change
        assert found.claims
        assert len(found.recipe.seeds) >= 3 or size == "smoke"
    assert recipes.summary(recipes.find(name, studies=True)).endswith(".")


def test_a_recipe_has_one_size() -> None:
    assert load_study("demo").claims == ()
    with pytest.raises(InputError, match="a recipe of one size"):
        load_study("demo", "cpu")
    with pytest.raises(InputError, match="is a study of several sizes"):
        recipes.find("stance")
