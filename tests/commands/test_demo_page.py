"""What `triglot demo` leaves is served as it is: a Spanish question finds an English passage on the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.browser import browser
from tests.command import triglot
from tests.serve.serving import serving
from triglot.commands.index import open_searched
from triglot.recipe import load_recipe
from triglot.search.searcher import Searcher
from triglot.study.data import Data

SMALLER = [
    "languages=[ar,en,es]",
    "train.steps=80",
    "encoder.dim=32",
    "encoder.vocab=2048",
    "validation=[]",
    "baselines=[]",
    "arms={hybrid: {batches.kind: hybrid}}",
]


@pytest.mark.slow
@pytest.mark.browser
def test_a_spanish_question_finds_an_english_passage_on_the_page(tmp_path: Path) -> None:
    with browser() as chromium:
        done = triglot("demo", *SMALLER, "--out", tmp_path / "demo", "-q")
        assert done.code == 0, done.err
        assert f"triglot serve {tmp_path / 'demo' / 'index'}" in done.out
        index, encoder = open_searched(str(tmp_path / "demo" / "index"))
        searcher = Searcher(encoder, index)
        recipe = load_recipe("demo", SMALLER)
        queries = Data(recipe.data).benchmark(recipe.evaluate[0], recipe.languages).retrieval.queries
        spanish = np.flatnonzero(queries.lang == recipe.languages.index("es"))[::7]
        answers = searcher.search_all([queries.texts[row] for row in spanish], langs=["es"] * len(spanish))
        known = dict(zip(*_groups(index), strict=True))
        found = [
            next((hit for hit in answer.hits if hit.lang == "en" and known[hit.id] == str(queries.group[row])), None)
            for row, answer in zip(spanish.tolist(), answers, strict=True)
        ]
        assert np.mean([hit is not None for hit in found]) > 0.3
        place = next(place for place, hit in enumerate(found) if hit is not None)
        with serving(searcher, name="demo") as address:
            page = chromium.new_page()
            page.goto(address)
            page.locator("#query").click()
            page.keyboard.type(answers[place].question)
            page.keyboard.press("Enter")
            page.wait_for_selector("body.answered:not(.busy)")
            assert "Question in Spanish" in page.locator("#told").inner_text()
            shown = page.locator(".fair .hits > .hit", has_text=found[place].text)  # type: ignore[union-attr]
            assert shown.locator(".head .tag").inner_text() == "English"


def _groups(index: object) -> tuple[list[str], list[str]]:
    snapshot = index.snapshot  # type: ignore[attr-defined]
    documents = snapshot.documents(snapshot.places_in())
    return documents.ids, list(documents.groups)
