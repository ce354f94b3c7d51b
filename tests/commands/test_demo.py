"""The searches at the end of the demo, for any choice of languages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from triglot.commands.demo import PAIRS, examples, first_screen
from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.tokenizer import word_counts
from triglot.recipe import load_recipe


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "model"
    init_encoder(
        EncoderSettings(dim=16, vocab=300), word_counts({"en": ["which language is spoken in this city"]}), seed=1
    ).save(folder)
    return folder


@pytest.mark.parametrize(
    ("languages", "pairs"),
    [
        ((), list(PAIRS)),
        (("de", "en", "th"), [("de", "en"), ("en", "th"), ("th", "de")]),
        (("de", "el"), [("de", "el"), ("el", "de"), ("de", "el")]),
        (("de",), []),
    ],
)
def test_searches_are_in_languages_that_the_recipe_has(
    model: Path, languages: tuple[str, ...], pairs: list[tuple[str, str]]
) -> None:
    recipe = load_recipe("demo", [])
    found = examples(model, replace(recipe, languages=languages or recipe.languages))
    assert [(one.question_lang, one.passage_lang) for one in found] == pairs
    assert all(
        bool(one.gloss) == ("en" in (languages or recipe.languages)) and one.question and one.passage for one in found
    )


def test_the_first_screen_says_what_is_shown() -> None:
    lines = first_screen(load_recipe("demo"), Path("runs/demo"))
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 20
    assert all(f"  {arm} " in "\n".join(lines) for arm in ("x-x", "x-y", "hybrid", "bm25"))
    assert "both in turn: X-X and X-Y" in "\n".join(lines)
    assert lines[-1] == "Results: runs/demo"
