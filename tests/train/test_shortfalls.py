"""What terms ask for and the data do not have is counted and said."""

from __future__ import annotations

import pytest

from tests.train.conftest import LISTS
from triglot.batches import BatchSettings
from triglot.losses import LossSettings
from triglot.losses.terms import AgreementTerm, ClearTerm, DistillationTerm, JsdTerm, LakdaTerm, MeanTerm, RankingTerm
from triglot.train import Feed, Switching
from triglot.train.shortfalls import shortfalls


def told(corpus, *terms, switching=False, views=False, name="info-nce", **batches) -> list[str]:
    how = {"english": Switching("en", LISTS)} if switching else None
    feed = Feed(corpus, switching=how, tokenize=None, seed=1)
    return shortfalls(LossSettings(name=name, terms=terms), feed, BatchSettings(**batches), views=views)


def test_rows_in_one_language_have_no_second_text(corpus) -> None:
    assert told(corpus, LakdaTerm()) == [
        "loss term lakda: 60 of 120 rows have no query in a second language; they are left out of it"
    ]
    assert len(told(corpus, JsdTerm(side="both"))) == 2
    assert told(corpus, LakdaTerm(), switching=True) == []


def test_rows_without_a_pivot_or_a_reference_are_counted(corpus) -> None:
    found = told(corpus, ClearTerm(pivot="de"), DistillationTerm(reference="de", side="passage"))
    assert "loss term clear: 60 of 120 rows have no passage in de; they are left out of it" in found
    assert "loss term distillation: 60 of 120 rows have no passage in de; they are left out of it" in found
    own = told(corpus, DistillationTerm(reference="de", missing="own"))
    assert all(line.endswith("they are drawn to the teacher's vector of themselves") for line in own)
    assert len(own) == 2
    assert told(corpus, DistillationTerm()) == []


def test_code_switching_gives_no_text_for_a_teacher_to_read(corpus) -> None:
    assert len(told(corpus, DistillationTerm(reference="de"), switching=True)) == 2


@pytest.mark.parametrize(
    ("term", "options", "said"),
    [
        (AgreementTerm("self-teaching"), {}, "no changed copies of queries"),
        (RankingTerm("pool"), {}, "one answer in a batch"),
        (MeanTerm(), {"kind": "xx"}, "every batch is in one language"),
    ],
)
def test_what_does_nothing_is_said(corpus, term, options, said) -> None:
    assert [said in line for line in told(corpus, term, **options)] == [True]


def test_what_is_there_is_not_complained_of(corpus) -> None:
    assert told(corpus, AgreementTerm("consistency"), views=True) == []
    assert told(corpus, RankingTerm("pool"), MeanTerm(), positives=2, name="pool") == []
    assert len(told(corpus, name="pool")) == 1
