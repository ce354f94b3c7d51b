"""Detecting a format by names, and one door to all readers."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tools import formats as page
from triglot.corpus.formats import nli
from triglot.corpus.formats import registry as formats
from triglot.files import InputError
from triglot.language_tags import tag


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
    with pytest.raises(InputError, match="'squat' is not a known format; did you mean 'squad'"):
        formats.read_training(tmp_path, format="squat")
    with pytest.raises(InputError, match="'trec' is not a training format; known: atlas, "):
        formats.read_training(tmp_path, format="trec")
    with pytest.raises(InputError, match="is not a retrieval format"):
        formats.read_retrieval(tmp_path, format="wordlist", name="x")
    with pytest.raises(InputError, match="format 'squad' has no option 'unti'; did you mean 'unit'"):
        formats.read_training(tmp_path, format="squad", unti="sentence")
    with pytest.raises(InputError, match="format 'mlqa' has no option 'candidate'; did you mean 'candidate_text'"):
        formats.read_retrieval(tmp_path, format="mlqa", name="x", candidate="paragraph")


def test_options_reach_the_reader(tmp_path):
    context = "One is here. Two is there."
    document = {
        "data": [
            {
                "paragraphs": [
                    {
                        "context": context,
                        "qas": [{"id": "a", "question": "?", "answers": [{"text": "T", "answer_start": 13}]}],
                    }
                ]
            }
        ]
    }
    (tmp_path / "en.json").write_text(json.dumps(document))
    corpus, tally = formats.read_training(tmp_path, format="squad", unit="sentence", source="mine", strict=True)
    assert corpus.sources == ("mine",)
    assert tally.strict
    assert "Two is there." in corpus.texts.to_pylist()
    found = formats.read_retrieval(tmp_path, format="squad", name="x", candidate_text="paragraph", licence="CC0")
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
    found = formats.read_retrieval(data / "xstance", format="stance", name="x", split="valid")
    assert (found.name, len(found.passages)) == ("x", 3_926)
    with pytest.raises(InputError, match="miracl: no passages in it"):
        formats.read_retrieval(data / "miracl", format="trec", name="x")
    with pytest.raises(InputError, match="format 'trec' has no option 'spilt'; did you mean 'split'"):
        formats.read_retrieval(data / "miracl", format="trec", name="x", spilt="dev")


# --- languages in file names, in one way for all readers


def _squad(text: str) -> str:
    question = {"id": "a", "question": f"Which {text}?", "answers": [{"text": "One", "answer_start": 0}]}
    return json.dumps({"data": [{"title": "T", "paragraphs": [{"context": f"One {text}.", "qas": [question]}]}]})


def _of_code(folder: Path, format: str, code: str) -> set[str]:
    """The languages that a reader finds in a folder that has `it` and the language of a file name."""
    folder.mkdir()

    def put(name: str, text: str) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    for one in ("it", code):
        if format == "squad":
            put(f"dev.{one}.json", _squad(one))
        elif format == "mlqa":
            put(f"test-context-it-question-{one}.json", _squad("it"))
        elif format == "bitext":
            put(f"el-{one}.tsv", "a b\tc d\n")
        elif format == "aligned":
            put(f"{one}.txt", "a b\n")
        elif format == "wordlist":
            put(f"el-{one}.txt", "a b\n")
        elif format == "nli":
            put(f"dev-{one}.tsv", "p\th\tentailment\n")
        elif format == "beir":
            put(f"queries.{one}.jsonl", '{"_id": "q", "text": "alpha"}\n')
            put("corpus.it.jsonl", '{"_id": "d", "text": "alpha"}\n')
            put("qrels/test.tsv", "q\td\t1\n")
        elif format == "stance":
            put(f"questions.{one}.jsonl", '{"id": 1, "text": "frage"}\n')
            put(
                "valid.jsonl",
                json.dumps({"id": 1, "question_id": 1, "language": "it", "comment": "k", "label": "FAVOR"}),
            )
        elif format == "trec":
            put(f"topics.toy-{one}-dev.tsv", "q\talpha\n")
            put(f"qrels.toy-{one}-dev.tsv", "q 0 d 1\n")
            put(f"docs-{one}.jsonl", '{"docid": "d", "text": "alpha"}\n')
    if format == "nli":
        return set(nli.read(folder)[0].languages)
    if format in ("wordlist", "bitext"):
        return {code for code in formats.read_training(folder, format=format)[0].languages if code != "el"}
    if format == "aligned":
        assert formats.detect(folder) == "bitext"
        return set(formats.read_training(folder, format="bitext")[0].languages)
    return set(formats.read_retrieval(folder, format=format, name="x").languages)


@pytest.mark.parametrize("format", ["squad", "mlqa", "bitext", "aligned", "wordlist", "nli", "beir", "stance", "trec"])
def test_every_reader_knows_the_same_languages(tmp_path: Path, format: str) -> None:
    for code in ("de", "zh-CN", "zh_cn", "ZH", "zh-Hant-TW", "pt-br", "eng_Latn", "fil", "es-419", "iw"):
        assert _of_code(tmp_path / code, format, code) == {"it", tag(code)}, code


@pytest.mark.parametrize("format", ["squad", "mlqa", "bitext", "aligned", "wordlist", "beir"])
def test_files_passed_over_are_told(tmp_path: Path, format: str) -> None:
    _of_code(tmp_path / "x", format, "de")
    name = {
        "bitext": "english-de.tsv",
        "aligned": "english.txt",
        "wordlist": "english-de.txt",
        "beir": "corpus.english.jsonl",
    }
    (tmp_path / "x" / name.get(format, "english.json")).write_text("{}")
    told = formats.read_training(
        tmp_path / "x",
        format={"aligned": "bitext"}.get(format, format),
        **({"split": "test"} if format == "beir" else {}),
    )[1]
    assert any("whose name" in reason and "english" in one.first for reason, one in told.left_out.items()), told.lines()


def test_languages_are_asked_for_in_any_spelling(tmp_path: Path) -> None:
    _of_code(tmp_path / "x", "squad", "zh_cn")
    assert formats.read_training(tmp_path / "x", format="squad", languages=["ZH-CN"])[0].languages == ("zh-CN",)


def test_the_page_of_formats_is_made_of_the_table() -> None:
    text = page.PAGE.read_text("utf-8")
    assert page.placed(text) == text, "python -m tools.formats --write"


@pytest.mark.parametrize("read", [formats.read_training, formats.read_retrieval])
def test_the_old_order_of_arguments_is_taken_with_a_warning(tmp_path: Path, read: Any) -> None:
    _of_code(tmp_path / "x", "squad", "de")
    more = {"name": "x"} if read is formats.read_retrieval else {}
    with pytest.warns(DeprecationWarning, match=rf"is now {read.__name__}\(path, format=format\)"):
        found = read("squad", tmp_path / "x", **more)
    assert (found if more else found[0]).languages == ("de", "it")


@pytest.mark.parametrize(
    ("format", "options", "message"),
    [
        ("mlqa", {"share": 7}, r"share: 7 is not between 0 and 1"),
        ("mlqa", {"share": float("nan")}, r"share: nan"),
        ("mlqa", {"strict": "no"}, r"strict: 'no': .*valid boolean"),
        ("mlqa", {"unit": ["sentence"]}, r"unit: \['sentence'\]"),
        ("atlas", {"seed": -1}, r"seed: -1 is negative"),
        ("atlas", {"seed": "one"}, r"seed: 'one' is not a whole number"),
        ("bitext", {"limit": 0}, r"limit: 0 .*a whole number from 1"),
        ("stance", {"negatives": 10**9}, r"negatives: 1000000000 is too large"),
        ("wordlist", {"half": 2}, r"half: 2 is neither 0 nor 1"),
        ("squad", {"files": 5}, r"files: 5"),
    ],
)
def test_options_are_held_to_their_types_and_ranges_before_anything_is_read(tmp_path, format, options, message):
    with pytest.raises(InputError, match=message):
        formats.FORMATS[format].read("training", tmp_path / "absent", options)


def test_every_number_among_the_options_of_a_format_has_a_range():
    bare = []
    for row in formats.FORMATS:
        for task in ("training", "retrieval", "streamed", "classification"):
            if getattr(row, task):
                reader = inspect.unwrap(row.reader(task))
                for name, hint in inspect.get_annotations(reader).items():
                    if re.search(r"\b(int|float)\b", str(hint)) and "Range" not in str(hint):
                        bare.append(f"{row.name}.{task}: {name}: {hint}")
    assert not bare
