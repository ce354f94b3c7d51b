"""Detecting a format by names, and one door to all readers."""

from __future__ import annotations

import json

import pytest

from triglot.corpus import formats
from triglot.files import InputError


@pytest.mark.parametrize(
    ("names", "format"),
    [
        (["en.json", "README.md"], "squad"),
        (["en.json.gz"], "squad"),
        (["test-context-de-question-es.json.gz", "LICENSE"], "mlqa"),
        (["de-en.tsv.gz"], "bitext"),
        (["de.txt", "en.txt"], "bitext"),
        (["de-en.txt.gz"], "wordlist"),
        (["train.jsonl"], "pairs"),
        (["corpus.jsonl", "queries.jsonl"], "beir"),
        (["corpus.jsonl.gz", "queries.jsonl"], "beir"),
        (["topics.miracl-v1.0-sw-dev.tsv", "qrels.miracl-v1.0-sw-dev.tsv", "docs-0.jsonl.gz"], "trec"),
        (["topics.miracl-v1.0-sw-testA.tsv"], "trec"),
        (["topic.dev.tsv", "qrels.dev.txt.gz"], "trec"),
        (["topics", "qrels"], "trec"),
        (["questions.de.jsonl", "train.jsonl"], "stance"),
        (["dev-de.tsv", "dev-en.tsv"], "nli"),
        (["dev-en.tsv.gz"], "nli"),
    ],
)
def test_detection_by_name(tmp_path, names, format):
    for name in names:
        (tmp_path / name).touch()
    assert formats.detect(tmp_path) == format
    if len(names) == 1:
        assert formats.detect(tmp_path / names[0]) == format


def test_a_path_in_no_format(tmp_path):
    (tmp_path / "notes.docx").touch()
    with pytest.raises(InputError, match=r"no known format .* has such names: notes\.docx"):
        formats.detect(tmp_path)
    with pytest.raises(InputError, match=r"no such file or folder; did you mean 'notes\.docx'"):
        formats.detect(tmp_path / "notes.doc")
    assert formats.detect("atlas") == "atlas"


def test_unknown_formats_and_options_name_the_nearest(tmp_path):
    with pytest.raises(InputError, match="'squat' is no format for training; did you mean 'squad'"):
        formats.read_training("squat", tmp_path)
    with pytest.raises(InputError, match="'trec' is no format for training; known: atlas, "):
        formats.read_training("trec", tmp_path)
    with pytest.raises(InputError, match="is no format for evaluation"):
        formats.read_retrieval("wordlist", tmp_path, name="x")
    with pytest.raises(InputError, match="format 'squad' has no option 'unti'; did you mean 'unit'"):
        formats.read_training("squad", tmp_path, unti="sentence")
    with pytest.raises(InputError, match="format 'mlqa' has no option 'candidate'; did you mean 'candidate_text'"):
        formats.read_retrieval("mlqa", tmp_path, name="x", candidate="paragraph")


def test_options_reach_the_reader(tmp_path):
    context = "One is here. Two is there."
    document = {
        "data": [
            {"paragraphs": [{"context": context, "qas": [{"id": "a", "question": "?", "answers": [{"text": "T", "answer_start": 13}]}]}]}
        ]
    }
    (tmp_path / "en.json").write_text(json.dumps(document))
    corpus, tally = formats.read_training("squad", tmp_path, unit="sentence", source="mine", strict=True)
    assert corpus.sources == ("mine",)
    assert tally.strict
    assert "Two is there." in corpus.texts.to_pylist()
    found = formats.read_retrieval("squad", tmp_path, name="x", candidate_text="paragraph", licence="CC0")
    assert (found.passages.texts, found.licence) == ([context], "CC0")


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "format"),
    [
        ("xquad-r", "squad"),
        ("squad-train", "squad"),
        ("tydiqa", "squad"),
        ("mlqa", "mlqa"),
        ("bitext", "bitext"),
        ("ntrex", "bitext"),
        ("muse", "wordlist"),
        ("scifact", "beir"),
        ("miracl", "trec"),
        ("xstance", "stance"),
        ("xnli", "nli"),
    ],
)
def test_detection_of_real_folders(data, folder, format):
    assert formats.detect(data / folder) == format


@pytest.mark.data
def test_formats_for_evaluation_alone_are_read_through_the_door(data):
    found = formats.read_retrieval("stance", data / "xstance", name="x", split="valid")
    assert (found.name, len(found.passages)) == ("x", 3_926)
    with pytest.raises(InputError, match="miracl: no passages in it"):
        formats.read_retrieval("trec", data / "miracl", name="x")
    with pytest.raises(InputError, match="format 'trec' has no option 'spilt'; did you mean 'split'"):
        formats.read_retrieval("trec", data / "miracl", name="x", spilt="dev")
