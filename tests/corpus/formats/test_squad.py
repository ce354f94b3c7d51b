"""The SQuAD family: groups, gold sentences, counts of real data, and every error."""

from __future__ import annotations

import gzip
import json
from collections import Counter

import numpy as np
import pytest

from triglot.corpus.formats import squad
from triglot.files import InputError

EN = "The lake is deep. It is also cold. Nobody swims there."
DE = "Der See ist tief und kalt. Niemand schwimmt dort."


def qa(identifier, question, start, text="x"):
    return {"id": identifier, "question": question, "answers": [{"text": text, "answer_start": start}]}


def write(path, paragraphs, title="Lake"):
    """A file of these paragraphs; an answer `x` gets the character that stands at its offset."""
    for paragraph in paragraphs:
        items = paragraph.get("qas", []) if isinstance(paragraph, dict) else []
        for answer in [
            one
            for item in items
            if isinstance(item, dict) and isinstance(item.get("answers"), list)
            for one in item["answers"]
        ]:
            start = answer.get("answer_start")
            if answer.get("text") == "x" and isinstance(start, int) and 0 <= start < len(paragraph["context"]):
                answer["text"] = paragraph["context"][start].strip() or paragraph["context"][start : start + 2]
    text = json.dumps({"version": "1.1", "data": [{"title": title, "paragraphs": paragraphs}]}, ensure_ascii=False)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.fixture
def folder(tmp_path):
    """Two languages; the German translator joined the first two sentences, and one question has no German version."""
    en = [
        qa("q1", "How deep?", EN.index("deep")),
        qa("q2", "How cold?", EN.index("cold")),
        qa("q3", "Who swims?", EN.index("Nobody")),
        qa("q4", "What is cold?", EN.index("It")),
    ]
    de = [
        qa("q1", "Wie tief?", DE.index("tief")),
        qa("q2", "Wie kalt?", DE.index("kalt")),
        qa("q3", "Wer schwimmt?", DE.index("Niemand")),
    ]
    write(tmp_path / "en.json", [{"context": EN, "qas": en}])
    write(tmp_path / "de.json.gz", [{"context": DE, "qas": de}], title="See")
    return tmp_path


def texts_of(corpus, group):
    return {
        corpus.languages[lang]: corpus.texts[i].as_py()
        for i, (lang, owner) in enumerate(zip(corpus.text_lang, corpus.text_group, strict=True))
        if owner == group
    }


def test_groups_are_what_one_question_names(folder):
    corpus, tally = squad.read_training(folder)
    assert corpus.languages == ("de", "en")
    rows = [(texts_of(corpus, q), texts_of(corpus, p)) for q, p in zip(corpus.query, corpus.passage, strict=True)]
    joined = "Der See ist tief und kalt."
    assert rows == [
        ({"de": "Wie tief?", "en": "How deep?"}, {"de": joined, "en": "The lake is deep."}),
        ({"de": "Wie kalt?", "en": "How cold?"}, {"de": joined, "en": "It is also cold."}),
        ({"de": "Wer schwimmt?", "en": "Who swims?"}, {"de": "Niemand schwimmt dort.", "en": "Nobody swims there."}),
        ({"en": "What is cold?"}, {"en": "It is also cold."}),
    ]
    # The German sentence answers q1 and q2, so their passages are one family; q4 shares the English one.
    family = corpus.family[corpus.passage]
    assert family[0] == family[1] == family[3]
    assert family[2] != family[0]
    assert tally.read["questions"] == 7
    assert set(corpus.group_titles.to_pylist()) == {"See", "Lake"}


def test_paragraph_and_sentence_with_context(folder):
    corpus, _ = squad.read_training(folder / "en.json", unit="paragraph")
    assert texts_of(corpus, corpus.passage[0]) == {"en": EN}
    assert len(set(corpus.passage.tolist())) == 1
    corpus, _ = squad.read_training(folder / "en.json", unit="sentence+context")
    assert texts_of(corpus, corpus.passage[1]) == {"en": f"It is also cold. {EN}"}


def test_retrieval_ties_languages_by_question_id(folder):
    found = squad.read_retrieval(folder, name="lake")
    assert found.languages == ("de", "en")
    assert found.parallel
    assert Counter(found.languages[lang] for lang in found.passages.lang) == {"de": 2, "en": 3}
    relevant: dict[str, set[str]] = {}
    for q, p, grade in found.judgements:
        assert grade == 1
        relevant.setdefault(found.queries.ids[q], set()).add(found.passages.texts[p])
    joined = "Der See ist tief und kalt."
    assert relevant["en-q1"] == relevant["de-q1"] == {"The lake is deep.", joined}
    assert relevant["en-q2"] == {"It is also cold.", joined}
    assert relevant["en-q4"] == {"It is also cold."}
    assert len(set(found.queries.cluster.tolist()) | set(found.passages.cluster.tolist())) == 1
    group = dict(zip(found.passages.texts, found.passages.group.tolist(), strict=True))
    assert group[joined] == group["The lake is deep."] == group["It is also cold."] != group["Nobody swims there."]


def test_unused_candidates_stay_in_the_pool(tmp_path):
    write(tmp_path / "en.json", [{"context": EN, "qas": [qa("q1", "How deep?", 12)]}])
    found = squad.read_retrieval(tmp_path, name="x", candidate_text="sentence")
    assert len(found.passages) == 3
    assert found.passages.group.tolist() == [0, -1, -1]
    assert not found.parallel
    assert (found.candidate_text, found.notes) == ("sentence", ())
    assert found.remarks == ("candidate text: sentence",)


def test_published_breaks_are_used_and_checked(tmp_path):
    paragraph = {
        "context": EN,
        "qas": [qa("q1", "How cold?", 29)],
        "sentence_breaks": [[0, 34], [35, 54]],
        "sentences": [EN[:34], EN[35:]],
    }
    write(tmp_path / "en.json", [paragraph])
    corpus, _ = squad.read_training(tmp_path)
    assert texts_of(corpus, corpus.passage[0]) == {"en": EN[:34]}
    for breaks in ([[0, 34], [30, 54]], [[0, 99]], [[3, 3]], ["x"], 7):
        write(tmp_path / "en.json", [{**paragraph, "sentence_breaks": breaks}])
        with pytest.raises(InputError, match=r"en\.json: data\[0\]\.paragraphs\[0\]\.sentence_breaks"):
            squad.read_training(tmp_path, strict=True)
    write(tmp_path / "en.json", [{**paragraph, "sentences": ["one"]}])
    with pytest.raises(InputError, match="not one text for each of the 2"):
        squad.read_training(tmp_path, strict=True)


def test_the_gold_sentence_is_start_le_answer_lt_end(tmp_path):
    breaks = [[0, 17], [18, 34], [35, 54]]
    items = [qa(f"q{start}", f"from {start}?", start) for start in (0, 16, 17, 18, 33, 53)]
    write(tmp_path / "en.json", [{"context": EN, "qas": items, "sentence_breaks": breaks}])
    corpus, tally = squad.read_training(tmp_path)
    got = {
        texts_of(corpus, q)["en"]: texts_of(corpus, p)["en"] for q, p in zip(corpus.query, corpus.passage, strict=True)
    }
    assert got == {
        "from 0?": EN[:17],
        "from 16?": EN[:17],
        "from 18?": EN[18:34],
        "from 33?": EN[18:34],
        "from 53?": EN[35:],
    }
    assert tally.left_out["answer that begins in no sentence"].first == "en.json: data[0].paragraphs[0].qas[2]"


def test_a_second_answer_in_another_sentence_is_a_row_of_its_own(tmp_path):
    item = {
        "id": "q",
        "question": "What of the lake?",
        "answers": [{"text": "x", "answer_start": a} for a in (12, 13, 29)],
    }
    write(tmp_path / "en.json", [{"context": EN, "qas": [item]}])
    corpus, _ = squad.read_training(tmp_path)
    assert [texts_of(corpus, p)["en"] for p in corpus.passage] == ["The lake is deep.", "It is also cold."]
    found = squad.read_retrieval(tmp_path, name="x")
    assert found.judgements.tolist() == [[0, 0, 1], [0, 1, 1]]


@pytest.mark.parametrize(
    ("change", "reason", "where"),
    [
        (
            {"answers": [{"text": "x", "answer_start": 999}]},
            "answer_start outside its context",
            "qas[1].answers[0].answer_start",
        ),
        (
            {"answers": [{"text": "x", "answer_start": -1}]},
            "answer_start outside its context",
            "qas[1].answers[0].answer_start",
        ),
        (
            {"answers": [{"text": "x", "answer_start": "3"}]},
            "answer_start outside its context",
            "qas[1].answers[0].answer_start",
        ),
        ({"answers": [{"text": "x"}]}, "answer_start outside its context", "qas[1].answers[0].answer_start"),
        ({"answers": [{"answer_start": 3}]}, "answer without a text field", "qas[1].answers[0]"),
        ({"answers": []}, "question without an answer (its paragraph can still be used)", "qas[1].answers"),
        (
            {"answers": [{"text": "", "answer_start": 0}]},
            "question whose answers have no usable text or place, so no gold sentence",
            "qas[1]",
        ),
        ({"question": "  "}, "question with an empty text", "qas[1]"),
        ({"question": None}, "question without a text", "qas[1]"),
        ({"id": None}, "question without an id", "qas[1]"),
        ({"id": "q1"}, "question whose id belongs to another question of its language", "qas[1]"),
    ],
)
def test_a_broken_question_is_counted_with_its_path_and_fatal_when_strict(tmp_path, change, reason, where):
    more = [qa(f"m{n}", f"more {n}?", 0) for n in range(20)]
    items = [qa("q1", "How deep?", 12), {**qa("q2", "How cold?", 29), **change}, *more]
    write(tmp_path / "en.json", [{"context": EN, "qas": items}])
    corpus, tally = squad.read_training(tmp_path)
    assert len(corpus) == 21
    assert tally.left_out[reason].count == 1
    assert tally.left_out[reason].first == f"en.json: data[0].paragraphs[0].{where}"
    with pytest.raises(InputError) as error:
        squad.read_training(tmp_path, strict=True)
    assert where in str(error.value)
    assert any(reason in note for note in squad.read_retrieval(tmp_path, name="x").notes)


def test_an_empty_answer_still_has_its_paragraph(tmp_path):
    write(tmp_path / "en.json", [{"context": EN, "qas": [qa("q", "How deep?", 0, text="")]}])
    corpus, tally = squad.read_training(tmp_path, unit="paragraph", strict=True)
    assert len(corpus) == 1
    assert not tally.left_out
    with pytest.raises(InputError, match="use `unit: paragraph`"):
        squad.read_training(tmp_path)
    with pytest.raises(InputError, match="use `candidate_text: paragraph`"):
        squad.read_retrieval(tmp_path, name="x")


@pytest.mark.parametrize(
    ("paragraph", "path"),
    [
        ({"qas": []}, r"paragraphs\[1\]: has no 'context'"),
        ({"context": EN}, r"paragraphs\[1\]: has no 'qas'"),
        ({"contxt": EN, "qas": []}, "has no 'context'; did you mean 'contxt'"),
        ({"context": 3, "qas": []}, r"paragraphs\[1\]\.context: str expected"),
        ("x", r"paragraphs\[1\]: an object"),
        ({"context": "  ", "qas": []}, r"paragraphs\[1\]: paragraph with an empty context"),
    ],
)
def test_a_broken_paragraph_is_counted_and_fatal_when_strict(tmp_path, paragraph, path):
    write(tmp_path / "en.json", [{"context": EN, "qas": [qa("q", "How deep?", 0)]}, paragraph])
    corpus, tally = squad.read_training(tmp_path)
    assert len(corpus) == 1
    assert sum(one.count for one in tally.left_out.values()) == 1
    with pytest.raises(InputError, match=path):
        squad.read_training(tmp_path, strict=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"data": [', r"en\.json:1: not JSON"),
        ('{"data": "Über"}'.encode("latin-1"), "not UTF-8"),
        (b"[]", "an object with 'data' was expected, not list"),
        (b'{"daten": []}', "has no 'data'; did you mean 'daten'"),
        (b'{"data": []}', "no question in it can be read; read: nothing"),
        (b'{"data": [{"title": "x"}]}', r"no question in it can be read; .*data\[0\]: has no 'paragraphs'"),
    ],
)
def test_a_file_that_is_not_in_the_format(tmp_path, content, message):
    (tmp_path / "en.json").write_bytes(content)
    for call in (lambda: squad.read_training(tmp_path), lambda: squad.read_retrieval(tmp_path, name="x")):
        with pytest.raises(InputError, match=message):
            call()


def test_a_truncated_gzip_file(tmp_path):
    whole = write(tmp_path / "en.json.gz", [{"context": EN * 50, "qas": [qa("q", "How deep?", 0)]}]).read_bytes()
    (tmp_path / "en.json.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"en\.json\.gz.*(truncated|broken)"):
        squad.read_training(tmp_path)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("en.json", "en"),
        ("zh-CN.json.gz", "zh-CN"),
        ("xquad.el.json", "el"),
        ("tydiqa.goldp.sw.train.json.gz", "sw"),
        ("yue.json", "yue"),
        ("train-v1.1.json", None),
        ("tydi.qa.json", None),
    ],
)
def test_language_from_the_file_name(name, code):
    assert squad.language_of(name) == code


def test_languages_and_files_of_a_folder(folder):
    write(folder / "x.fi.dev.json", [{"context": EN, "qas": [qa("z", "Mikä?", 0)]}])
    assert squad.read_training(folder, languages=["en"])[0].languages == ("en",)
    assert squad.read_training(folder, files="*.dev.*")[0].languages == ("fi",)
    with pytest.raises(InputError, match="the folder has de, en, fi"):
        squad.read_training(folder, languages=["th"])
    with pytest.raises(InputError, match="that matches"):
        squad.read_training(folder, files="*.test.*")
    with pytest.raises(InputError, match="its language is en"):
        squad.read_training(folder / "en.json", languages=["de"])
    with pytest.raises(InputError, match=r"no file such as `xx\.json`"):
        squad.read_training(folder / "..", files="none*")
    write(folder / "train-v1.1.json", [{"context": EN, "qas": [qa("z", "What?", 0)]}])
    with pytest.raises(InputError, match="give `language: xx`"):
        squad.read_training(folder / "train-v1.1.json")
    assert squad.read_training(folder / "train-v1.1.json", language="en")[0].languages == ("en",)


def test_unknown_unit_names_the_nearest(folder):
    with pytest.raises(InputError, match="did you mean 'sentence'"):
        squad.read_training(folder, unit="sentences")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"candidate_text: 'paragraf'.*did you mean 'paragraph'"):
        squad.read_retrieval(folder, name="x", candidate_text="paragraf")  # type: ignore[arg-type]


def test_ids_that_name_no_question_tie_nothing(tmp_path):
    for lang in ("en", "sw"):
        items = [qa(str(n % 3), f"{lang} question {n}?", 0) for n in range(12)]
        write(tmp_path / f"{lang}.json", [{"context": f"{lang} {EN}", "qas": items}])
    corpus, tally = squad.read_training(tmp_path)
    assert len(corpus) == 24
    assert tally.read["files whose ids name no question (place in the file taken instead)"] == 2
    assert set(np.bitwise_count(corpus.group_languages).tolist()) == {1}
    assert not squad.read_retrieval(tmp_path, name="x").parallel


def test_shared_ids_can_be_denied(folder):
    corpus, _ = squad.read_training(folder, shared_ids=False)
    assert len(corpus) == 7
    assert set(np.bitwise_count(corpus.group_languages).tolist()) == {1}


def test_a_repeated_paragraph_is_one_passage(tmp_path):
    write(tmp_path / "en.json", [{"context": EN, "qas": [qa(f"q{n}", f"Is it {n}?", 0)]} for n in range(3)])
    found = squad.read_retrieval(tmp_path, name="x", candidate_text="paragraph")
    assert len(found.passages) == 1
    assert len(found.queries) == 3


# Real data


XQUAD = {
    "ar": 1222,
    "de": 1276,
    "el": 1234,
    "en": 1180,
    "es": 1215,
    "hi": 1244,
    "ru": 1219,
    "th": 852,
    "tr": 1167,
    "vi": 1209,
    "zh": 1196,
}


@pytest.mark.data
def test_xquad_r_has_its_published_counts(data):
    found = squad.read_retrieval(data / "xquad-r", name="xquad-r", strict=True)
    assert found.languages == tuple(XQUAD)
    assert len(found.passages) == 13_014
    assert {code: int((found.passages.lang == n).sum()) for n, code in enumerate(found.languages)} == XQUAD
    assert len(found.queries) == 13_090
    assert Counter(found.queries.lang.tolist()) == dict.fromkeys(range(11), 1190)
    assert len(set(found.queries.group.tolist())) == 1190
    # one relevant candidate in each language
    assert found.judgements.shape == (13_090 * 11, 3)
    pairs = found.judgements[:, 0] * 11 + found.passages.lang[found.judgements[:, 1]]
    assert len(np.unique(pairs)) == 13_090 * 11
    # a Thai sentence can answer several groups
    thai = found.passages.lang == found.languages.index("th")
    groups = found.queries.group[found.judgements[:, 0]]
    answered = {(p, g) for p, g in zip(found.judgements[:, 1].tolist(), groups.tolist(), strict=True) if thai[p]}
    assert max(Counter(p for p, _ in answered).values()) > 1
    # 240 clusters, and the cluster is the paragraph's position in every file
    position = np.array([int(identifier.split("-")[1]) for identifier in found.passages.ids])
    assert (position == found.passages.cluster).all()
    assert set(found.queries.cluster.tolist()) == set(range(240))
    assert (found.queries.cluster[found.judgements[:, 0]] == found.passages.cluster[found.judgements[:, 1]]).all()
    assert len(set(found.passages.ids)) == 13_014
    assert len(set(found.queries.ids)) == 13_090


@pytest.mark.data
def test_xquad_r_gold_by_brute_force(data):
    found = squad.read_retrieval(data / "xquad-r", name="xquad-r", languages=["en", "th"])
    relevant = {(found.queries.ids[q], found.passages.ids[p]) for q, p, _ in found.judgements}
    expected = set()
    for lang in ("en", "th"):
        position = 0
        for article in json.loads((data / "xquad-r" / f"{lang}.json").read_text("utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                for item in paragraph["qas"]:
                    at = item["answers"][0]["answer_start"]
                    (gold,) = [n for n, (start, end) in enumerate(paragraph["sentence_breaks"]) if start <= at < end]
                    expected |= {(f"{query}-{item['id']}", f"{lang}-{position}-{gold}") for query in ("en", "th")}
                position += 1
    assert relevant == expected


@pytest.mark.slow
@pytest.mark.data
def test_squad_train(data):
    corpus, tally = squad.read_training(data / "squad-train")
    assert tally.read["questions"] == 87_599
    assert tally.read["paragraphs"] == 18_896
    assert not tally.left_out
    assert len(corpus) == tally.read["rows"] == 87_599 - tally.read["repeated questions (read as one)"]
    assert corpus.languages == ("en",)


@pytest.mark.slow
@pytest.mark.data
def test_squad_dev_parallel(data):
    corpus, tally = squad.read_training(data / "squad-dev-parallel", unit="paragraph")
    assert tally.read["questions"] == 9_380 + 5_851 + 6_117 + 6_740
    assert len(corpus) == 9_380
    questions = np.unique(corpus.query)
    per_language = {code: int((corpus.text_of[questions, n] >= 0).sum()) for n, code in enumerate(corpus.languages)}
    assert per_language == {"en": 9_380, "es": 5_851, "it": 6_117, "da": 6_740}


@pytest.mark.slow
@pytest.mark.data
def test_tydiqa(data):
    corpus, tally = squad.read_training(data / "tydiqa", unit="paragraph", files="*.dev.*")
    assert len(corpus) == tally.read["questions"] == 5_077
    assert corpus.languages == ("ar", "bn", "en", "fi", "id", "ko", "ru", "sw", "te")
    train, _ = squad.read_training(data / "tydiqa", unit="paragraph", files="*.train.*")
    assert len(train) == 8_076
    assert set(np.bitwise_count(train.group_languages).tolist()) == {1}
    found = squad.read_retrieval(data / "tydiqa", name="tydiqa", files="*.dev.*", candidate_text="paragraph")
    assert not found.parallel
    assert len(found.queries) == len(found.judgements) == 5_077
    assert (found.queries.lang[found.judgements[:, 0]] == found.passages.lang[found.judgements[:, 1]]).all()


CAFE = "🙂🙂🙂 A café opened. The capital is Bern. It has a river, and a river has banks."


@pytest.mark.parametrize(
    "offset", [len(CAFE[: CAFE.index("Bern")].encode()), CAFE.index("Bern") + 3, 0, -1, 10**9, None, "9", True]
)
def test_an_offset_that_does_not_hold_its_answer_is_mended(tmp_path, offset):
    """Offsets in bytes or UTF-16 units point into another sentence; the text itself says where it is."""
    write(tmp_path / "en.json", [{"context": CAFE, "qas": [qa("q", "Which capital?", offset, text="Bern")]}])
    corpus, tally = squad.read_training(tmp_path, strict=True)
    assert texts_of(corpus, corpus.passage[0]) == {"en": "The capital is Bern."}
    assert tally.notes() == (
        "mended: 1 x answer_start that does not hold the answer's text, which the context has once"
        " (first: en.json: data[0].paragraphs[0].qas[0].answers[0].answer_start)",
    )
    assert squad.read_retrieval(tmp_path, name="x").notes == tally.notes()


@pytest.mark.parametrize("text", ["river", "Zurich"])
def test_an_answer_that_the_context_has_twice_or_never_is_not_guessed(tmp_path, text):
    items = [qa("q", "Which?", 0, text=text), qa("p", "Which capital?", CAFE.index("Bern"), text=" Bern ")]
    write(tmp_path / "en.json", [{"context": CAFE, "qas": items}])
    corpus, tally = squad.read_training(tmp_path)
    assert [texts_of(corpus, p)["en"] for p in corpus.passage] == ["The capital is Bern."]
    assert "1 x answer_start that does not hold the answer's text, which the context has not once" in tally.notes()[0]
    with pytest.raises(InputError, match="has not once"):
        squad.read_training(tmp_path, strict=True)


@pytest.mark.parametrize(
    "change",
    [
        {"is_impossible": True, "answers": [], "plausible_answers": [{"text": "Bern", "answer_start": 37}]},
        {"answers": [], "plausible_answers": [{"text": "Bern", "answer_start": 37}]},
        {"answers": {"text": [], "answer_start": []}},
    ],
)
@pytest.mark.parametrize("unit", ["sentence", "paragraph"])
def test_a_question_that_its_paragraph_does_not_answer_is_left_out(tmp_path, change, unit):
    good = {
        "id": "p",
        "question": "Which?",
        "is_impossible": False,
        "answers": {"text": ["Bern"], "answer_start": [CAFE.index("Bern")]},
    }
    write(tmp_path / "en.json", [{"context": CAFE, "qas": [{**qa("q", "Of Mars?", 0), **change}]}])
    document = json.loads((tmp_path / "en.json").read_text())
    document["data"][0]["paragraphs"][0]["qas"].append(good)
    (tmp_path / "en.json").write_text(json.dumps(document))
    corpus, tally = squad.read_training(tmp_path, unit=unit, strict=True)
    assert [texts_of(corpus, q)["en"] for q in corpus.query] == ["Which?"]
    what = "left out: 1 x question that its paragraph does not answer (SQuAD 2.0's is_impossible)"
    assert tally.notes() == (f"{what} (first: en.json: data[0].paragraphs[0].qas[0])",)
    found = squad.read_retrieval(tmp_path, name="x", candidate_text=unit)
    assert found.queries.texts == ["Which?"]
    assert tally.notes()[0] in found.notes
