from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import help_centre
from triglot.commands.data import described, prepare_data
from triglot.corpus.formats.registry import detect, read_retrieval, read_training
from triglot.corpus.inspect import inspect_paths
from triglot.files import InputError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(help_centre.write(tmp_path / "here"))
    Path("data.yaml").write_text(described(["articles.csv", "searchlog.csv"])[0], "utf-8")
    return Path()


def test_a_description_and_what_was_prepared_of_it_are_the_same_data(here: Path) -> None:
    prepare_data(["data.yaml"], "prepared")
    assert (detect("data.yaml"), detect("prepared")) == ("described", "prepared")
    one, other = (read_training(path)[0] for path in ("data.yaml", "prepared"))
    texts = [
        sorted((c.texts[int(c.text_of[q].max())].as_py(), sorted(c.text_of[p][c.text_of[p] >= 0].size for p in [p])[0])
               for q, p in zip(c.query, c.passage, strict=True))
        for c in (one, other)
    ]  # fmt: skip
    assert texts[0] == texts[1]
    assert len(one) == len(other)
    assert (
        one.languages
        == other.languages
        == help_centre.LANGUAGES[1:2] + help_centre.LANGUAGES[:1] + help_centre.LANGUAGES[2:]
    )
    sets = [read_retrieval(path, name="b") for path in ("data.yaml", "prepared", "prepared/benchmark")]
    for again in sets[1:]:
        assert again.queries.ids == sets[0].queries.ids
        assert again.passages.texts == sets[0].passages.texts
        np.testing.assert_array_equal(again.judgements, sets[0].judgements)
    assert sets[0].parallel
    leakage = inspect_paths(["prepared"], ["data.yaml"])["leakage"][0]
    assert (leakage["questions"]["by_text"], leakage["answers"]["by_text"]) == (0, 0)
    assert leakage["passages"]["by_text"] > 50  # the pool is the whole help centre


def test_nothing_of_the_benchmark_is_told_but_what_it_judges(here: Path) -> None:
    found = read_retrieval("data.yaml", name="b")
    told = found.judged_texts
    assert set(found.queries.texts) <= told
    judged = {found.passages.texts[p] for _, p, _ in found.judgements.tolist()}
    assert told == {*found.queries.texts, *judged}
    assert len(told) < len(found.queries) + len(found.passages)


def test_languages_and_splits(here: Path) -> None:
    corpus, _ = read_training("data.yaml", languages=["en", "de"])
    assert corpus.languages == ("de", "en")
    with pytest.raises(InputError, match="no split 'dev'; known: test"):
        read_retrieval("data.yaml", name="b", split="dev")
    prepare_data(["data.yaml"], "all", test_size=0.0)
    assert not Path("all/benchmark").exists()
    with pytest.raises(InputError, match="all: has no benchmark"):
        read_retrieval("all", name="b")
