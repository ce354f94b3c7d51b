"""The command: what it writes reads back, a run that was killed goes on, bad input is named."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.command import triglot
from tests.killing import Done, Server
from tests.mine.small import LANGUAGES, corpus_of, embed_of, safe_pairs
from triglot.commands.mine import settings_of
from triglot.corpus.formats import pair_writer, pairs
from triglot.encoder import EncoderSettings, init_encoder
from triglot.encoder.tokenizer import word_counts
from triglot.files import InputError, read_json, read_jsonl
from triglot.mine import MineSettings, RefreshSettings, digest, mine, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with `train.jsonl` and two models."""
    folder = tmp_path_factory.mktemp("mine")
    corpus = corpus_of(1, rows=60)
    pair_writer.write(folder / "train.jsonl", corpus)
    texts: dict[str, list[str]] = {}
    for text, lang in zip(corpus.texts.to_pylist(), corpus.text_lang.tolist(), strict=True):
        texts.setdefault(LANGUAGES[lang], []).append(text)
    init_encoder(EncoderSettings(dim=16, vocab=300), word_counts(texts), seed=1).save(folder / "static")
    small = EncoderSettings(kind="transformer", dim=16, vocab=300, layers=1, heads=2)
    init_encoder(small, word_counts(texts), seed=1).save(folder / "transformer")
    return folder


@pytest.mark.parametrize("rule", ["own", "balanced", "any"])
@pytest.mark.parametrize("layout", ["tevatron", "flag"])
def test_what_is_written_reads_back_with_groups_and_languages(tmp_path, rule, layout) -> None:
    corpus = corpus_of(2, rows=30)
    found = mine(corpus, MineSettings(negatives=3, negative_languages=rule), embed=embed_of(corpus))
    path = tmp_path / "mined.jsonl"
    assert write(path, found, output_format=layout) == (len(found.lines), 0)
    again, _ = pairs.read_training(path)
    assert again.languages == corpus.languages
    name = {f"passage/group/{one}": number for number, one in enumerate(corpus.group_ids.to_pylist())}
    here = {group: name[one] for group, one in enumerate(again.group_ids.to_pylist()) if one in name}
    banned = safe_pairs(corpus)
    rows = {(int(q), int(p)): row for row, (q, p) in enumerate(zip(corpus.query, corpus.passage, strict=True))}
    question = {f"question/group/{one}": number for number, one in enumerate(corpus.group_ids.to_pylist())}
    asked = again.group_ids.to_pylist()
    expected: dict[int, set[int]] = {}
    for line, row in enumerate(found.lines.row.tolist()):
        expected.setdefault(row, set()).update(
            corpus.text_group[[text for text in found.text[line].tolist() if text >= 0]].tolist()
        )
    for number in range(len(again)):
        row = rows[question[asked[again.query[number]]], here[int(again.passage[number])]]
        negatives = {here[group] for group in again.negatives[number].as_py()}
        assert negatives == expected[row]
        assert not negatives & banned[row]
        assert again.family[again.passage[number]] not in again.family[again.negatives[number].as_py()]
    # A text that is read is the one that the group has in that language.
    for text, lang, group in zip(
        again.texts.to_pylist(), again.text_lang.tolist(), again.text_group.tolist(), strict=True
    ):
        if group in here:
            assert corpus.texts[int(corpus.text_of[here[group], lang])].as_py() == text


def test_layouts_of_other_trainers(tmp_path) -> None:
    corpus = corpus_of(2, rows=14)
    found = mine(corpus, MineSettings(negatives=6, negative_languages="own"), embed=embed_of(corpus))
    full = int((found.text >= 0).all(axis=1).sum())
    assert 0 < full < len(found.lines)
    assert write(tmp_path / "st.jsonl", found, output_format="sentence-transformers") == (full, len(found.lines) - full)
    columns = ["anchor", "positive", *(f"negative_{n}" for n in range(1, 7))]
    assert all(list(line) == columns for _, line in read_jsonl(tmp_path / "st.jsonl"))
    write(tmp_path / "flag.jsonl", found, output_format="flag")
    for number, (_, line) in enumerate(read_jsonl(tmp_path / "flag.jsonl")):
        assert list(line)[:1] == ["query"]
        assert len(line["pos"]) == len(line["pos_scores"]) == 1
        assert (
            len(line["neg"])
            == len(line["neg_scores"])
            == len(line["negative_langs"])
            == int((found.text[number] >= 0).sum())
        )
        np.testing.assert_allclose(line["neg_scores"], found.score[number][: len(line["neg"])], rtol=1e-5)
        np.testing.assert_allclose(line["pos_scores"], found.positive[number], rtol=1e-5)
    with pytest.raises(InputError, match="did you mean 'tevatron'"):
        write(tmp_path / "x.jsonl", found, output_format="tevatrn")


def test_negative_languages_of_the_flag_shape_must_fit(tmp_path) -> None:
    line = {"query": "q", "pos": ["p"], "neg": ["n", "m"], "lang": "en", "negative_langs": ["de"]}
    (tmp_path / "x.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match="'negative_langs' has 1 entries for 2 passages"):
        pairs.read_training(tmp_path / "x.jsonl", strict=True)


@pytest.mark.parametrize("model", ["static", "transformer", "bm25"])
def test_the_command(place, tmp_path, model) -> None:
    chosen = model if model == "bm25" else place / model
    code, out, err = triglot(
        "mine", f"pairs:{place / 'train.jsonl'}", "--model", chosen, "--out", tmp_path / "m.jsonl", "negatives=2"
    )
    assert code == 0, err
    lines = [line for _, line in read_jsonl(tmp_path / "m.jsonl")]
    report = read_json(tmp_path / "m.jsonl.report.json")
    assert f"{len(lines)} lines" in out
    assert report["lines"] == report["written"] == len(lines)
    assert sum(len(line["negative_passages"]) for line in lines) == report["negatives"]
    assert set(report["languages"]) == set(LANGUAGES)
    assert "positives: first" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.jsonl", "m.jsonl.report.json"]


def test_bm25_and_vectors_together(place, tmp_path) -> None:
    words = ["mine", place / "train.jsonl", "--model", place / "static", "-q", "source=both", "negatives=4"]
    assert triglot(*words, "--out", tmp_path / "both.jsonl")[0] == 0
    assert triglot(*words, "--out", tmp_path / "de.jsonl", "negative_languages=de:1,en:3")[0] == 0
    shares = {code: one["share"] for code, one in read_json(tmp_path / "de.jsonl.report.json")["languages"].items()}
    assert shares["de"] == pytest.approx(0.25, abs=0.01)
    assert shares["fr"] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["negatives=500", "depth=1000"],
            r"negatives: 500 of each row in \w\w are wanted, but the corpus has \d+ different passages in",
        ),
        (["margin=-0.1"], "margin: -0.1 is negative"),
        (["relative_margin=1.5"], "relative_margin: 1.5 is not between 0 and 1"),
        (["min_score=0.9", "max_score=0.1"], "min_score: 0.9 is above max_score, 0.1"),
        (["negative_languages=balancd"], "did you mean 'balanced'"),
        (["negative_languages=de:1,enn:2"], "no passage in 'enn'; did you mean 'en'"),
        (["negative_languages=DE:1,frr:2"], "negative_languages: the corpus has no passage in 'frr'"),
        (["negative_languages=de:0"], "0.0 is no share for 'de'"),
        (["negative_languages=de:1,en"], "'en' is not a language and its share"),
        (["negative_languages={de:1}"], "shares are positive numbers, written de:1,en:2"),
        (["negatvies=3"], "negatvies: no such setting; did you mean 'negatives'"),
        (["negatives=0"], "negatives: 0 is below 1"),
        (["skip=99"], "depth: 100 candidates, less 99 that are skipped, are fewer than 8 negatives"),
        (["sampling=best"], "not one of top, random"),
        (["source=random"], "--model .*: is not used with source=random"),
        (["--output-format", "flags"], "--output-format: 'flags' is unknown; did you mean 'flag'"),
        (["--languages", "xx"], "no line can be used; read: 242 lines, 242 lines in other languages"),
    ],
)
def test_bad_input_is_named(place, tmp_path, words, message) -> None:
    code, _, err = triglot(
        "mine", place / "train.jsonl", "--model", place / "static", "--out", tmp_path / "m.jsonl", *words
    )
    assert code == 2
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(err)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model", "bm25", "source=both"], "--model bm25: does not go with source=both; give the model"),
        (["--model", "random", "margin=0.1"], "passages drawn at random have no scores"),
        (["--model", "nowhere"], "nowhere"),
        ([], "--model: is missing; source=dense needs a model folder"),
    ],
)
def test_models_that_do_not_fit_are_named(place, tmp_path, words, message) -> None:
    code, _, err = triglot("mine", place / "train.jsonl", "--out", tmp_path / "m.jsonl", *words)
    assert code == 2
    assert message in err


def test_settings_of_refresh() -> None:
    assert RefreshSettings().every is None
    assert RefreshSettings(every=5).of(3).negatives == 3
    assert RefreshSettings(every=5, negatives=6).of(3).negatives == 6
    with pytest.raises(InputError, match="every: -1 is negative"):
        RefreshSettings(every=-1)
    with pytest.raises(InputError, match=r"negatives: 2 are kept for each row, fewer than train\.negatives, 3"):
        RefreshSettings(every=5, negatives=2).of(3)
    with pytest.raises(InputError, match="margin: -1 is negative"):
        RefreshSettings(every=5, margin=-1)


def test_the_digest_stands_for_settings_data_and_model(place) -> None:
    from triglot.encoder import load_encoder

    corpus, other = corpus_of(1, rows=20), corpus_of(2, rows=20)
    model, second = load_encoder(place / "static"), load_encoder(place / "transformer")
    keys = [
        digest(corpus, MineSettings(), model),
        digest(other, MineSettings(), model),
        digest(corpus, MineSettings(seed=2), model),
        digest(corpus, MineSettings(), second),
        digest(corpus.select(np.arange(19)), MineSettings(), model),
    ]
    assert len(set(keys)) == len(keys)
    assert digest(corpus_of(1, rows=20), MineSettings(), load_encoder(place / "static")) == keys[0]


@pytest.mark.parametrize("model", ["static", "transformer"])
def test_killed_and_started_again_it_ends_with_the_same_bytes(server: Server, place, tmp_path, model) -> None:
    settings = ["-q", "negative_languages=balanced", "sampling=random", "depth=20"]
    words = [place / "train.jsonl", "--model", place / model, *settings]

    def job(name: str, **how) -> Done:
        out = tmp_path / name
        return server.run([*words, "--out", out], call="tests.mine.jobs:in_small_blocks", under=[out], **how)

    done = job("whole.jsonl")
    assert done.code == 0, done.output
    blocks = [number for number, event in enumerate(done.events, 1) if "rename" in event and "block-" in event]
    assert job("killed.jsonl", kill_at=blocks[3]).code == -signal.SIGKILL
    (parts,) = tmp_path.glob(".killed.jsonl.*.parts")
    assert len(list(parts.glob("block-*.npz"))) == 3
    assert bool(list(parts.glob("query-*.npy"))) == (model == "transformer")
    assert not (tmp_path / "killed.jsonl").exists()
    done = job("killed.jsonl")
    assert done.code == 0, done.output
    assert (tmp_path / "killed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert not list(tmp_path.glob(".*.parts"))
    reports = [read_json(tmp_path / f"{name}.jsonl.report.json") for name in ("whole", "killed")]
    assert reports[0] == reports[1]


def test_a_part_that_was_cut_is_made_again(place, tmp_path) -> None:
    corpus = corpus_of(1, rows=20)
    embed = embed_of(corpus)
    first = mine(corpus, MineSettings(negatives=2), embed=embed, parts=tmp_path)
    (file,) = tmp_path.glob("block-*.npz")
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match=r"block-00000\.npz: cannot be read"):
        mine(corpus, MineSettings(negatives=2), embed=embed, parts=tmp_path)
    file.unlink()
    np.testing.assert_array_equal(mine(corpus, MineSettings(negatives=2), embed=embed, parts=tmp_path).text, first.text)


@pytest.mark.peers
@pytest.mark.parametrize(
    "bounds",
    [{}, {"margin": 0.05}, {"relative_margin": 0.1}, {"max_score": 0.6, "min_score": 0.1}, {"skip": 3}],
    ids=str,
)
def test_sentence_transformers_finds_the_same(place, bounds) -> None:
    datasets = pytest.importorskip("datasets")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    from triglot.encoder import load_encoder

    corpus = corpus_of(1, rows=60, gaps=0.0, repeats=False).restrict(["en"])
    strings = corpus.texts.to_pylist()
    found = mine(corpus, MineSettings(negatives=4, depth=40, **bounds), load_encoder(place / "static"))
    lines = found.lines
    rows = {"anchor": [strings[i] for i in lines.query], "positive": [strings[i] for i in lines.passage]}
    names = {"skip": "range_min", "margin": "absolute_margin"}
    theirs = mine_hard_negatives(
        datasets.Dataset.from_dict(rows),
        SentenceTransformer(str(place / "static"), device="cpu"),
        num_negatives=4,
        range_max=40,
        output_format="labeled-list",
        output_scores=True,
        verbose=False,
        **{names.get(key, key): value for key, value in bounds.items()},
    )
    expected = {line["anchor"]: dict(zip(line["positive"][1:], line["scores"][1:], strict=True)) for line in theirs}
    for line in range(len(lines)):
        ours = {strings[t]: float(s) for t, s in zip(found.text[line], found.score[line], strict=True) if t >= 0}
        their = expected.get(strings[int(lines.query[line])], {})
        np.testing.assert_allclose(sorted(ours.values()), sorted(their.values()), atol=1e-5)
        for text in ours.keys() ^ their.keys():  # tokens in common are few here, so that scores tie
            assert any(
                abs((ours | their)[text] - score) < 1e-5 for other, score in (ours | their).items() if other != text
            )


@pytest.mark.slow
@pytest.mark.data
def test_real_data_in_eleven_languages(data, tmp_path) -> None:
    from triglot.corpus.formats.registry import read_training
    from triglot.mine.lines import lines_of

    corpus, _ = read_training(data / "xquad-r", format="squad")
    lines = lines_of(corpus)
    assert len(lines) == 1190 * 11
    some = lines.select(np.arange(0, len(lines), 13))
    found = mine(corpus, MineSettings(source="bm25", negatives=11, negative_languages="balanced"), lines=some)
    counts = np.bincount(corpus.text_lang[found.text[found.text >= 0]], minlength=11)
    # A question is asked in the language of the passages, so each has matches.
    assert counts.min() > 0.95 * counts.max()
    assert found.report["negatives"] > 0.97 * found.report["wanted"]
    family = corpus.family
    for line in range(len(some)):
        chosen = found.text[line][found.text[line] >= 0]
        groups = corpus.text_group[chosen]
        assert len(set(groups.tolist())) == len(groups)
        assert family[corpus.passage[some.row[line]]] not in family[groups]
    write(tmp_path / "mined.jsonl", found)
    again, _ = read_training(tmp_path / "mined.jsonl", format="pairs")
    assert len(again) == len(np.unique(some.row))
    assert again.languages == corpus.languages


def test_a_key_of_the_version_before_is_read(caplog: pytest.LogCaptureFixture) -> None:
    assert settings_of(["languages=balanced"], "bm25").negative_languages == "balanced"
    assert "languages is called negative_languages now" in caplog.text
