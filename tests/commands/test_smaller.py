"""`triglot init --from`: what is cut, what is learned, what is told of it, and that it goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from tests.command import triglot
from tests.words import WORDS
from triglot.commands.kept import size_of
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder.tokenizer import word_counts
from triglot.files import read_json

LANGUAGES = ("de", "en", "es")


def lines_of(code: str, rows: int) -> list[str]:
    rng = np.random.default_rng(3)
    return [" ".join(WORDS[code][word] for word in rng.choice(12, 5, replace=False)) for _ in range(rows)]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A transformer of four layers, translations, plain texts and a benchmark."""
    folder = tmp_path_factory.mktemp("smaller")
    texts = {code: lines_of(code, 80) for code in LANGUAGES}
    settings = EncoderSettings(
        kind="transformer", dim=16, vocab=400, layers=4, heads=2, query_length=30, passage_length=40, query_prefix="q: "
    )
    encoder = init_encoder(settings, word_counts(texts), seed=1)
    torch.manual_seed(2)
    with torch.no_grad():  # fresh layers change next to nothing
        for parameter in encoder.model.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    encoder.save(folder / "whole")
    (folder / "lines").mkdir()
    for code, lines in texts.items():
        (folder / "lines" / f"{code}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "plain.txt").write_text("\n".join([*lines_of("en", 90)[60:], "one more text"]) + "\n", encoding="utf-8")
    init_encoder(EncoderSettings(dim=8, vocab=400), word_counts(texts), seed=1).save(folder / "bag")
    return folder


def run(place: Path, out: Path, *words: object):
    return triglot("init", "--from", place / "whole", "--out", out, *words)


def test_a_model_is_only_cut(place: Path, tmp_path: Path) -> None:
    done = run(place, tmp_path / "cut", "--layers", "2", "--trim", place / "lines", "--steps", "0")
    assert done.code == 0, done.err
    assert "layers: 2 of 4 (1, 4)" in done.out
    assert "when cut" in done.out
    assert done.out.splitlines()[-1] == str(tmp_path / "cut")
    told = read_json(tmp_path / "cut" / "kept.json")
    made, whole = load_encoder(tmp_path / "cut"), load_encoder(place / "whole")
    assert (told["parent"], told["layers"]) == ("whole", [1, 4])
    assert told["tokens"] == {"parent": len(whole.input_embeddings.weight), "model": len(made.input_embeddings.weight)}
    assert told["tokens"]["model"] < told["tokens"]["parent"]
    assert told["parameters"] == {"parent": whole.parameters, "model": made.parameters}
    assert told["bytes"]["parent"] == size_of(place / "whole") > told["bytes"]["model"] == size_of(tmp_path / "cut")
    assert made.lengths == whole.lengths
    assert made.prefixes == whole.prefixes
    texts = (place / "lines" / "de.txt").read_text(encoding="utf-8").splitlines()
    expected = init_encoder(EncoderSettings(kind="pretrained", model=str(place / "whole"), keep_layers=(1, 4)))
    np.testing.assert_allclose(made.encode(texts, side="query"), expected.encode(texts, side="query"), atol=1e-6)
    theirs = SentenceTransformer(str(tmp_path / "cut"), device="cpu", local_files_only=True)
    np.testing.assert_allclose(theirs.encode_query(texts), made.encode(texts, side="query"), atol=2e-6)
    assert "made of the model whole" in (tmp_path / "cut" / "README.md").read_text(encoding="utf-8")


def test_a_trimmed_model_of_all_layers_has_the_vectors_of_the_whole(place: Path, tmp_path: Path) -> None:
    done = run(place, tmp_path / "cut", "--trim", place / "plain.txt", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["command"], told["out"]) == ("init", str(tmp_path / "cut"))
    assert told["cosine"] == read_json(tmp_path / "cut" / "kept.json")["cosine"] == {"cut": 1.0}
    texts = (place / "plain.txt").read_text(encoding="utf-8").splitlines()
    made, whole = load_encoder(tmp_path / "cut"), load_encoder(place / "whole")
    np.testing.assert_allclose(made.encode(texts, side="passage"), whole.encode(texts, side="passage"), atol=1e-6)


LEARN = ("--layers", "every-second", "--held-out", "20", "train.lr=0.01", "train.checkpoint_every=4")


@pytest.mark.slow
def test_what_is_left_is_drawn_to_the_whole(place: Path, tmp_path: Path) -> None:
    words = ["--parallel", f"lines={place / 'lines'}", "--texts", f"plain={place / 'plain.txt'}", "--steps", "25"]
    words += ["--trim", place / "lines", "--on", f"again=bitext:{place / 'lines'}", "--reference", "en"]
    (tmp_path / "other").mkdir()
    for code in ("de", "en"):
        known = (place / "lines" / f"{code}.txt").read_text(encoding="utf-8").splitlines()[0]
        (tmp_path / "other" / f"{code}.txt").write_text(f"{known}\nѯѱѡ 0123456789 XYZ\n", encoding="utf-8")
    words += ["--on", f"other=bitext:{tmp_path / 'other'}"]
    done = run(place, tmp_path / "small", *LEARN, *words)
    assert done.code == 0, done.err
    told = read_json(tmp_path / "small" / "kept.json")
    assert told["layers"] == [2, 4]
    assert told["texts"] > 60
    assert told["cosine"]["learned"] > told["cosine"]["cut"] + 0.02
    assert set(told["retrieval"]) == {"lines", "again", "other"}
    assert told["same_tokens"]["lines"] == told["same_tokens"]["again"] == 1
    assert told["same_tokens"]["other"] == 0.5  # of two lines in two languages
    assert "other: 50% of its texts have the tokens that they had" in done.out
    assert set(told["retrieval"]["lines"]) == {"parent", "cut", "learned"}
    assert set(told["retrieval"]["lines"]["parent"]) == {"cross map", "cross hit@1"}
    assert "after 25 steps" in done.out
    made, whole = load_encoder(tmp_path / "small"), load_encoder(place / "whole")
    assert made.lengths == whole.lengths
    assert made.prefixes == whole.prefixes
    held = [line for code in LANGUAGES for line in lines_of(code, 80)[:20]]
    cosine = (made.encode(held, side="query") * whole.encode(held, side="query")).sum(axis=1).mean()
    assert cosine > 0.9 * told["cosine"]["learned"]
    assert not list(tmp_path.glob(".small*"))


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_with_the_same_weights(place: Path, tmp_path: Path, monkeypatch) -> None:
    words = [*LEARN, "--parallel", f"lines={place / 'lines'}", "--steps", "8"]
    assert run(place, tmp_path / "whole", *words).code == 0

    def stop(self, step: int, *_) -> None:
        if step == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("triglot.train.loop.RunLog.step", stop)
        assert run(place, tmp_path / "broken", *words).code == 130
    assert not (tmp_path / "broken").exists()
    assert len(list(tmp_path.glob(".broken.*.steps"))) == 1
    done = run(place, tmp_path / "broken", *words)
    assert done.code == 0, done.err
    assert "goes on where it stopped" in done.err
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "broken"))
    assert one == two
    with monkeypatch.context() as patch:
        patch.setattr("triglot.train.loop.RunLog.step", stop)
        assert run(place, tmp_path / "broken", *words, "--force").code == 130
    assert (tmp_path / "broken" / "model.safetensors").read_bytes() == two
    done = run(place, tmp_path / "broken", *words, "--seed", "2")
    assert "was begun with other settings, and is removed" in done.err
    assert not list(tmp_path.glob(".broken.*.steps"))
    assert (tmp_path / "broken" / "model.safetensors").read_bytes() != two


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to make smaller"),
        (["--layers", "2", "--steps", "5"], "5 steps need --texts or --parallel"),
        (["--layers", "5"], "--layers: 5 layers, but the model has 4"),
        (["--layers", "0"], "0 is no layer"),
        (["--layers", "4,2"], "from the lowest to the highest"),
        (["--layers", "every-secnd"], "did you mean 'every-second'"),
        (["--layers", "2", "--dim", "8"], "--dim: is of a fresh encoder"),
        (["--layers", "2", "--reference", "en"], "--reference: goes with --parallel"),
        (["--layers", "2", "train.lr=1"], "train.lr=1: is a setting of the learning"),
        (["--layers", "2", "--trim", "nothing.txt", "--steps", "0"], "nothing.txt: no such file"),
        (["--layers", "2", "--texts", "plain="], "not NAME=PATH"),
        (["--layers", "2", "--parallel", "a=squad:PLACE/lines"], "is read as bitext; leave out squad"),
        (["--layers", "2", "--texts", "a=PLACE/plain.txt", "--on", "a=PLACE/lines"], "a: two of"),
        (["--layers", "2", "--texts", "a=PLACE/plain.txt", "--held-out", "9", "trian.lr=1"], "trian"),
        (["--layers", "2", "--parallel", "a=PLACE/lines"], "the first 100 lines are not learned from"),
        (["--layers", "2", "--texts", "a=PLACE/plain.txt"], "the first 100 lines are not learned from"),
        (["--layers", "2", "--parallel", "a=PLACE/lines", "--reference", "fr", "--held-out", "9"], "no text in 'fr'"),
    ],
)
def test_bad_input(place: Path, tmp_path: Path, words: list[str], said: str) -> None:
    done = run(place, tmp_path / "out", *[word.replace("PLACE", str(place)) for word in words])
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_models_that_cannot_be_cut_and_options_without_from(place: Path, tmp_path: Path) -> None:
    done = triglot("init", "--from", place / "bag", "--layers", "2", "--out", tmp_path / "out")
    assert done.code == 2
    assert "is a static encoder" in done.err
    for words, said in (
        (["atlas", "--trim", "x"], "--trim: goes with --from MODEL"),
        (["atlas", "--held-out", "3"], "--held-out: goes with --from MODEL"),
        (["atlas", "--layers", "1,2"], "--layers: '1,2' is not a whole number"),
        (["atlas", "--layers", "2000"], "--layers"),
        ([], "training data to build the tokenizer from"),
    ):
        done = triglot("init", *words, "--out", tmp_path / "out")
        assert done.code == 2
        assert said in done.err, done.err
    assert json.dumps(sorted(path.name for path in tmp_path.iterdir())) == "[]"
