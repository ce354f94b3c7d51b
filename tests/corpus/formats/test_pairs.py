"""Pairs JSONL in the shapes of three trainers, and writing them."""

from __future__ import annotations

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triglot.corpus.formats import pair_writer, pairs
from triglot.corpus.parallel import CorpusBuilder
from triglot.files import InputError


def put(path, *records):
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    return path


def rows(corpus):
    """(question texts, passage texts, negatives' texts) of each row, by language."""
    table = corpus.text_of

    def texts(group):
        return {corpus.languages[lang]: corpus.texts[int(i)].as_py() for lang, i in enumerate(table[group]) if i >= 0}

    negatives = corpus.negatives.to_pylist() if corpus.negatives is not None else [[]] * len(corpus)
    return [
        (texts(q), texts(p), [texts(group) for group in hard])
        for q, p, hard in zip(corpus.query, corpus.passage, negatives, strict=True)
    ]


SHAPES = [
    {"anchor": "q", "positive": "p", "negative": "n"},
    {"anchor": "q", "positive": "p", "negative_1": "n"},
    {"query": "q", "positive": "p", "negative": ["n"]},
    {"query": "q", "pos": ["p"], "neg": ["n"], "pos_scores": [1.0]},
    {
        "query_id": 7,
        "query": "q",
        "positive_passages": [{"docid": "1", "text": "p"}],
        "negative_passages": [{"docid": 2, "text": "n"}],
    },
]


@pytest.mark.parametrize("record", SHAPES)
def test_every_shape_gives_the_same_row(tmp_path, record):
    corpus, tally = pairs.read_training(put(tmp_path / "x.jsonl", record), strict=True, language="en")
    assert rows(corpus) == [({"en": "q"}, {"en": "p"}, [{"en": "n"}])]
    assert dict(tally.read) == {"lines": 1, "rows": 1}


def test_sentence_pairs_have_no_negatives(tmp_path):
    corpus, _ = pairs.read_training(put(tmp_path / "x.jsonl", {"sentence1": "a", "sentence2": "b"}))
    assert corpus.negatives is None
    assert corpus.languages == ("und",)


def test_each_positive_is_a_row_and_the_order_of_negatives_is_kept(tmp_path):
    record = {"query": "q", "pos": ["p1", "p2"], "neg": ["n1", "n2"]}
    corpus, _ = pairs.read_training(put(tmp_path / "x.jsonl", record))
    assert [(p["und"], [n["und"] for n in hard]) for _, p, hard in rows(corpus)] == [
        ("p1", ["n1", "n2"]),
        ("p2", ["n1", "n2"]),
    ]
    # two answers of one question are never each other's negatives
    assert len(set(corpus.family[corpus.passage].tolist())) == 1


def test_titles_stand_before_the_text(tmp_path):
    path = put(tmp_path / "x.jsonl", {"query": "q", "positive_passages": [{"docid": "1", "title": "T", "text": "p"}]})
    corpus, _ = pairs.read_training(path)
    assert rows(corpus)[0][1] == {"und": "T p"}
    assert corpus.group_titles[int(corpus.passage[0])].as_py() == "T"
    assert rows(pairs.read_training(path, titles=False)[0])[0][1] == {"und": "p"}


def test_groups_tie_languages_and_ids_do_not(tmp_path):
    parallel = [
        {"query": "q en", "positive": "p en", "lang": "en", "query_group": "Q", "passage_group": "P"},
        {
            "query": "q de",
            "positive": "p de",
            "lang": "de",
            "query_group": "Q",
            "passage_group": "P",
            "negative": "n de",
            "negative_groups": ["N"],
        },
    ]
    corpus, tally = pairs.read_training(put(tmp_path / "x.jsonl", *parallel), strict=True)
    assert rows(corpus) == [({"de": "q de", "en": "q en"}, {"de": "p de", "en": "p en"}, [{"de": "n de"}])]
    assert tally.read["lines that add a language to an earlier row"] == 1
    numbered = [
        {
            "query_id": "1",
            "query": f"q {lang}",
            "positive_passages": [{"docid": "0#0", "text": f"p {lang}"}],
            "lang": lang,
        }
        for lang in ("en", "de")
    ]
    corpus, _ = pairs.read_training(put(tmp_path / "x.jsonl", *numbered), strict=True)
    assert [(set(q), set(p)) for q, p, _ in rows(corpus)] == [({"en"}, {"en"}), ({"de"}, {"de"})]


def test_a_docid_is_one_passage_over_lines(tmp_path):
    lines = [
        {
            "query_id": "1",
            "query": "one",
            "positive_passages": [{"docid": "d", "text": "p"}],
            "negative_passages": [{"docid": "e", "text": "n"}],
        },
        {
            "query_id": "2",
            "query": "two",
            "positive_passages": [{"docid": "e", "text": "n"}],
            "negative_passages": [{"docid": "d", "text": "p"}],
        },
    ]
    corpus, _ = pairs.read_training(put(tmp_path / "x.jsonl", *lines), strict=True)
    assert corpus.negatives is not None
    assert corpus.negatives.to_pylist() == [[int(corpus.passage[1])], [int(corpus.passage[0])]]


def test_query_and_passage_languages(tmp_path):
    path = put(
        tmp_path / "x.jsonl",
        {"query": "q", "positive": "p", "query_lang": "th", "passage_lang": "en"},
        {"query": "r", "pos": [{"text": "s", "lang": "de"}], "neg": [{"text": "t", "lang": "th"}], "lang": "en"},
    )
    corpus, _ = pairs.read_training(path, strict=True)
    assert rows(corpus) == [({"th": "q"}, {"en": "p"}, []), ({"en": "r"}, {"de": "s"}, [{"th": "t"}])]
    corpus, tally = pairs.read_training(path, languages=["en", "de"], strict=True)
    assert rows(corpus) == [({"en": "r"}, {"de": "s"}, [])]
    assert tally.read["lines in other languages (not asked for)"] == 1
    assert tally.read["negatives in other languages (not asked for)"] == 1


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (["q", "p"], "line that cannot be used: not an object"),
        ({"question": "q", "positive": "p"}, "line that cannot be used: none of the keys query, anchor, sentence1"),
        ({"query": "q"}, "line that cannot be used: none of the keys positive_passages, positive, pos, sentence2"),
        ({"query": 3, "positive": "p"}, "line that cannot be used: 'query' is not a string"),
        ({"query": "q", "positive": None}, "empty positive"),
        ({"query": "q", "pos": []}, "line that cannot be used: 'pos' is empty"),
        (
            {"query": "q", "pos": ["a", "b"], "passage_group": "P"},
            "line that cannot be used: 'passage_group' has 1 entries for 2 passages",
        ),
        ({"query": "q", "positive": "p", "lang": ["en"]}, "line that cannot be used: 'lang' is not a string"),
        ({"query": " ", "positive": "p"}, "line with an empty question"),
        ({"query": "q", "positive": ""}, "empty positive"),
        (
            {"query_id": "first", "query": "other", "positive": "p"},
            "text whose id or group has another text in its language",
        ),
    ],
)
def test_a_broken_line_is_counted_with_its_number_and_fatal_when_strict(tmp_path, record, reason):
    path = put(tmp_path / "x.jsonl", {"query_id": "first", "query": "q", "positive": "p"}, record)
    corpus, tally = pairs.read_training(path)
    assert len(corpus) == 1
    assert tally.left_out[reason].first == f"{path}:2"
    with pytest.raises(InputError, match=r"x\.jsonl:2: "):
        pairs.read_training(path, strict=True)


def test_an_empty_negative_is_counted(tmp_path):
    corpus, tally = pairs.read_training(put(tmp_path / "x.jsonl", {"query": "q", "pos": ["p"], "neg": ["", "n"]}))
    assert rows(corpus)[0][2] == [{"und": "n"}]
    assert tally.left_out["empty negative"].count == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"query": "q", "positive": "p"}\n{"query"', r"x\.jsonl:2: not JSON"),
        ('{"query": "ü"}'.encode("latin-1"), "not UTF-8"),
        (gzip.compress(b'{"query": "q", "positive": "p"}\n' * 50, mtime=0)[:-9], "truncated"),
        (b"", "no line can be used; read: nothing"),
        (b'{"q": 1}\n', "no line can be used; .*none of the keys query"),
    ],
)
def test_a_broken_file(tmp_path, content, message):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=message):
        pairs.read_training(tmp_path / "x.jsonl")


def test_a_folder_of_files(tmp_path):
    with pytest.raises(InputError, match=r"no file such as `name\.jsonl`"):
        pairs.read_training(tmp_path)
    put(tmp_path / "a.jsonl", {"query": "q", "positive": "p"})
    put(tmp_path / "b.jsonl", {"query": "r", "positive": "p"})
    assert len(pairs.read_training(tmp_path)[0]) == 2


def example():
    builder = CorpusBuilder("example")
    for key, texts in {
        "q1": {"en": "q1 en", "de": "q1 de", "th": "q1 th"},
        "q2": {"de": "q2 de"},
        "p1": {"en": "p1 en", "el": "p1 el"},
        "p2": {"ru": "p2 ru", "vi": "p2 vi"},
        "n": {"en": "n en", "ru": "n ru"},
    }.items():
        for lang, text in texts.items():
            builder.text(key, lang, text, title="Article" if key == "p1" else "")
    builder.row("q1", "p1", ["n", "p2"])
    builder.row("q2", "p2", ["n"])
    return builder.build()


def test_writing_and_reading_back_keeps_rows_languages_and_titles(tmp_path):
    corpus = example()
    number = pair_writer.write(tmp_path / "x.jsonl", corpus)
    assert number == 3 + 2  # q1 has three languages, p2 two
    again, _ = pairs.read_training(tmp_path / "x.jsonl", strict=True)
    # a negative in a language that its row's passage lacks is written in another one, and its group ties all lines
    assert rows(again) == rows(corpus)
    assert "Article" in again.group_titles.to_pylist()


def test_sentence_transformers_columns_are_plain_strings(tmp_path):
    pair_writer.write(tmp_path / "x.jsonl", example(), output_format="sentence-transformers")
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text("utf-8").splitlines()]
    assert lines[0] == {"anchor": "q1 en", "positive": "p1 en", "negative_1": "n en", "negative_2": "p2 ru"}
    assert all(isinstance(value, str) for line in lines for value in line.values())


def test_flag_shape_reads_back(tmp_path):
    corpus = example()
    pair_writer.write(tmp_path / "x.jsonl", corpus, output_format="flag")
    again, _ = pairs.read_training(tmp_path / "x.jsonl", strict=True)
    assert rows(again) == rows(corpus)
    with pytest.raises(InputError, match="did you mean 'flag'"):
        pair_writer.write(tmp_path / "y.jsonl", corpus, output_format="flagg")  # type: ignore[arg-type]
    assert not (tmp_path / "y.jsonl").exists()


LANGS = st.sets(st.sampled_from(["ar", "de", "en", "th"]), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(st.lists(st.tuples(LANGS, LANGS), min_size=1, max_size=4))
def test_no_text_is_lost_in_writing(tmp_path, groups):
    builder = CorpusBuilder("x")
    for n, (query, passage) in enumerate(groups):
        for lang in sorted(query):
            builder.text(f"q{n}", lang, f"q{n} {lang}")
        for lang in sorted(passage):
            builder.text(f"p{n}", lang, f"p{n} {lang}")
        builder.row(f"q{n}", f"p{n}")
    corpus = builder.build()
    pair_writer.write(tmp_path / "x.jsonl", corpus)
    assert rows(pairs.read_training(tmp_path / "x.jsonl", strict=True)[0]) == rows(corpus)


# --- shapes that are no pairs, or look like others


def _read(tmp_path, *records, **options):
    return pairs.read_training(put(tmp_path / "x.jsonl", *records), **options)


@pytest.mark.parametrize(
    ("yes", "no"),
    [
        ({"label": 1}, {"label": 0}),
        ({"label": True}, {"label": False}),
        ({"label": "1"}, {"label": "0"}),
        ({"label": 1.0}, {"label": 0.0}),
        ({"gold_label": "entailment"}, {"gold_label": "contradiction"}),
        ({"gold_label": "Entailment"}, {"gold_label": "neutral"}),
        ({"label": None}, {"gold_label": "-"}),
        ({"is_duplicate": 1}, {"is_duplicate": 0}),
        ({"score": 1.0}, {"score": 0.0}),
        ({"score": 1}, {"score": 0.4}),
        ({"similarity": 1}, {"similarity": 4.8}),
    ],
)
@pytest.mark.parametrize(("one", "other"), [("sentence1", "sentence2"), ("anchor", "positive")])
def test_what_a_label_calls_no_pair_is_none(tmp_path, yes, no, one, other):
    if one == "anchor" and not {"score", "similarity"}.isdisjoint(yes):
        return  # `positive` says that it is a pair, whatever its score
    corpus, tally = _read(tmp_path, {one: "a", other: "b", **yes}, {one: "c", other: "d", **no})
    assert [(q["und"], p["und"]) for q, p, _ in rows(corpus)] == [("a", "b")]
    assert tally.left_out["line whose label or score does not say that it is a pair"].count == 1


@pytest.mark.parametrize("label", [2, -1, "maybe", [1], {"a": 1}, 0.5])
def test_a_label_that_can_mean_anything_is_an_error(tmp_path, label):
    with pytest.raises(InputError, match=r"x\.jsonl:2: label is .*; known are 1"):
        _read(tmp_path, {"query": "q", "positive": "p"}, {"query": "q2", "positive": "p2", "label": label})


@pytest.mark.parametrize("key", ["negative", "negatives", "hard_negatives", "neg", "negs", "negative_1", "negatives_2"])
def test_negatives_in_any_spelling(tmp_path, key):
    assert rows(_read(tmp_path, {"query": "q", "positives": ["p"], key: ["n"]})[0])[0][2] == [{"und": "n"}]


def test_null_negatives_cost_only_themselves(tmp_path):
    lines = [{"query": f"q{n}", "pos": [f"p{n}"], "neg": [None, "", f"n{n}"]} for n in range(30)]
    corpus, tally = _read(tmp_path, *lines)
    assert len(corpus) == 30
    assert rows(corpus)[3][2] == [{"und": "n3"}]
    assert {reason: one.count for reason, one in tally.left_out.items()} == {"empty negative": 60}


def test_reasons_do_not_name_lines(tmp_path):
    lines = [{"query": f"q{n}", "pos": [n]} for n in range(30)]
    _, tally = _read(tmp_path, {"query": "q", "pos": ["p"]}, *lines)
    assert {reason: one.count for reason, one in tally.left_out.items()} == {
        "line that cannot be used: a positive is not text": 30
    }


def test_keys_that_are_not_read_are_told_once(tmp_path):
    _, tally = _read(
        tmp_path, *({"query": f"q{n}", "pos": ["p"], "url": n, "pos_scores": [1]} for n in range(3)), strict=True
    )
    assert tally.lines()[1:] == [f"not read: 3 x key 'url' (first: {tmp_path}/x.jsonl:1)"]
    _, tally = _read(tmp_path, {"query": "q", "pos": ["p"], **{f"k{n}": n for n in range(1000)}})
    assert len(tally.lines()) < 50


def test_two_questions_in_a_line_are_none(tmp_path):
    _, tally = _read(
        tmp_path,
        {"query": "q", "positive": "p"},
        {"query": "q", "anchor": "a", "positive": "p"},
        {"query": "q", "pos": "a", "positive": "p"},
    )
    assert [one.count for one in tally.left_out.values()] == [1, 1]
    assert "line that cannot be used: both 'query' and 'anchor'" in tally.left_out


@pytest.mark.parametrize("key", ["lang", "query_lang", "passage_lang", "negative_langs"])
@pytest.mark.parametrize("lang", ["../../evil", "/nonexistent/abs", "a\nb", ".hidden"])
def test_a_language_that_is_no_name_is_refused(tmp_path, key, lang):
    with pytest.raises(InputError, match=r"x\.jsonl:1: .* cannot be the name of a language"):
        _read(tmp_path, {"query": "q", "pos": ["p"], "neg": ["n"], key: [lang] if key == "negative_langs" else lang})
    with pytest.raises(InputError, match=r"x\.jsonl:1: .* cannot be the name of a language"):
        _read(tmp_path, {"query": "q", "positive_passages": [{"text": "p", "lang": lang}]})


def test_languages_have_one_spelling(tmp_path):
    corpus, _ = _read(tmp_path, {"query": "q", "positive": "p", "query_lang": "zh_cn", "passage_lang": "EN"})
    assert corpus.languages == ("en", "zh-CN")


@pytest.mark.parametrize("value", [None, 5, 5.5, True, [], ["a"], {}, {"a": 1}, "", 10**30, "\0"])
@pytest.mark.parametrize("record", SHAPES)
def test_a_value_of_another_kind_is_counted_or_an_error(tmp_path, record, value):
    for key in [*record, "lang", "query_group", "passage_groups", "negative_groups", "negative_langs"]:
        try:
            _read(tmp_path, {**record, key: value}, {"query": "x", "pos": ["y"]})
        except InputError as error:
            if ":1: " not in str(error):
                raise
