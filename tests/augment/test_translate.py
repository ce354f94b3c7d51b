"""Translation by tiny models with random weights, made here: parity with transformers itself, the store, kill and
resume, bad folders."""

from __future__ import annotations

import io
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from tests.translators import TEXTS, m2m100, marian, nllb
from triglot.augment.translate import TranslateSettings, Translator, find_code, plain_code
from triglot.augment.translations import Store, join, key_of, sentences_of, translate_corpus, wanted
from triglot.commands import augment as augmenting
from triglot.corpus.formats.pair_writer import write
from triglot.corpus.formats.pairs import read_training
from triglot.corpus.parallel import CorpusBuilder, ParallelCorpus
from triglot.files import InputError, read_jsonl

SHORT = TranslateSettings(beams=2, longest=12, tokens=60)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("models")
    return {
        "marian": marian(place / "marian"),
        "many": marian(place / "many", "en", "roa", (">>fra<<", ">>spa<<")),
        "m2m100": m2m100(place / "m2m100"),
        "nllb": nllb(place / "nllb"),
    }


@pytest.mark.parametrize(
    ("name", "target", "before", "given"),
    [
        ("marian", "de", "", {}),
        ("many", "fr", ">>fra<< ", {}),
        ("many", "es", ">>spa<< ", {}),
        ("m2m100", "fr", "", {"src_lang": "en", "tgt_lang": "fr"}),
        ("nllb", "fr", "", {"src_lang": "eng_Latn", "tgt_lang": "fra_Latn"}),
        ("nllb", "zh", "", {"src_lang": "eng_Latn", "tgt_lang": "zho_Hans"}),
    ],
)
@pytest.mark.parametrize("beams", [1, 3])
def test_translations_are_those_of_transformers(
    models: dict[str, Path], name: str, target: str, before: str, given: dict[str, str], beams: int
) -> None:
    translator = Translator(models[name], TranslateSettings(beams=beams, longest=12, tokens=60), device="cpu")
    batches: list[int] = []
    found = translator.translate(TEXTS, "en", target, done=lambda rows, _: batches.append(len(rows)))
    assert len(batches) > 1
    assert sum(batches) == len(TEXTS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tokenizer: Any = AutoTokenizer.from_pretrained(models[name], **given)
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(models[name]).eval()
    more = {"forced_bos_token_id": tokenizer.convert_tokens_to_ids(given["tgt_lang"])} if name == "nllb" else {}
    more = {"forced_bos_token_id": tokenizer.get_lang_id(given["tgt_lang"])} if name == "m2m100" else more
    for text, one in zip(TEXTS, found):  # one by one, without padding
        ids = tokenizer([before + text], truncation=True, max_length=12, return_tensors="pt")
        with torch.inference_mode():
            made = model.generate(
                ids["input_ids"],
                attention_mask=ids["attention_mask"],
                num_beams=beams,
                max_new_tokens=12,
                max_length=None,
                **more,
            )
        assert (
            one == tokenizer.batch_decode(made, skip_special_tokens=True, clean_up_tokenization_spaces=False)[0].strip()
        )
    assert len(set(found)) > 1
    assert any(found)
    assert translator.too_long(TEXTS, target) > 0
    other = {"marian": "de", "many": "es" if target == "fr" else "fr"}.get(name, "it")
    if other != target:
        assert translator.translate(TEXTS, "en", other) != found


def test_languages_of_the_families(models: dict[str, Path]) -> None:
    loaded = {name: Translator(path, device="cpu") for name, path in models.items()}
    assert {name: one.family for name, one in loaded.items()} == {
        "marian": "marian",
        "many": "marian",
        "m2m100": "m2m100",
        "nllb": "codes",
    }
    assert loaded["marian"].languages == ["de"]
    assert loaded["many"].languages == ["es", "fr"]
    eleven = {"ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"}
    assert eleven <= set(loaded["m2m100"].languages)
    assert eleven <= set(loaded["nllb"].languages)
    assert loaded["marian"].accepts("en")
    assert not loaded["marian"].accepts("fr")
    assert loaded["nllb"].accepts("sw")
    assert find_code("zh", loaded["nllb"].codes) == "zho_Hans"
    assert find_code("zho_Hant", loaded["nllb"].codes) == "zho_Hant"
    assert find_code("ar", loaded["nllb"].codes) == "arb_Arab"
    assert [plain_code(code) for code in (">>fra<<", "fr_XX", "fra_Latn", "__fr__", "cmn_Hans", "ROMANCE", "</s>")] == [
        "fr"
    ] * 4 + [
        "zh",
        "",
        "",
    ]
    with pytest.raises(InputError, match="into: the model translates into 'de', not into 'fr'"):
        loaded["marian"].check("fr")
    with pytest.raises(InputError, match="into: the model has no language 'fre_'"):
        loaded["many"].check("fre_")
    with pytest.raises(InputError, match="does not translate from 'de'"):
        loaded["marian"].translate(["x"], "de", "de")


# --- texts and the store


def corpus_of() -> ParallelCorpus:
    builder = CorpusBuilder("test")
    for n in range(2):
        builder.text(f"q{n}", "en", TEXTS[2 * n])
        builder.text(f"p{n}", "en", TEXTS[2 * n + 1])
        builder.text(f"q{n}", "de", TEXTS[4 + n])
        builder.row(f"q{n}", f"p{n}", [f"p{1 - n}"])
    return builder.build()


class Counting:
    """A translator that notes what it was asked for, and fails after so many batches."""

    def __init__(self, inner: Translator, fail_after: int = 1 << 30):
        self.inner, self.asked, self.left = inner, 0, fail_after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def translate(self, texts: list[str], source: str, target: str, *, done: Any) -> list[str]:
        self.asked += len(texts)

        def counted(rows: Any, found: Any) -> None:
            done(rows, found)
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

        return self.inner.translate(texts, source, target, done=counted)


def test_a_corpus_gets_more_languages_and_tells_where_they_come_from(models: dict[str, Path]) -> None:
    corpus, translator = corpus_of(), Translator(models["m2m100"], SHORT, device="cpu")
    want = wanted(corpus, translator, ["fr", "de"], sides=["query", "passage"])
    # Questions have German.
    assert {pair: len(groups) for pair, groups in want.jobs.items()} == {
        ("en", "fr"): 4,
        ("en", "de"): 2,
    }
    steps: list[float] = []
    made = translate_corpus(corpus, translator, want, Store(None), advance=steps.append)
    assert sum(steps) == pytest.approx(want.texts)
    assert made.corpus.languages == ("de", "en", "fr")
    assert made.texts == len(made.origins) == 6
    assert made.corpus.texts.to_pylist()[:6] == corpus.texts.to_pylist()
    table = made.corpus.text_of
    ids = made.corpus.group_ids.to_pylist()
    for number, origin in made.origins.items():
        assert origin == "mt:en"
        group, lang = made.corpus.text_group[number], made.corpus.languages[made.corpus.text_lang[number]]
        assert table[group, made.corpus.text_lang[number]] == number
        source = corpus.texts[int(corpus.text_of[ids.index(ids[group]), corpus.languages.index("en")])].as_py()
        parts = sentences_of(source, "en")
        assert made.corpus.texts[number].as_py() == join(translator.translate(parts, "en", lang))
    assert max(len(sentences_of(text, "en")) for text in TEXTS[:4]) == 2
    queries = wanted(corpus, translator, ["fr"], sides=["query"])
    assert {pair: len(groups) for pair, groups in queries.jobs.items()} == {("en", "fr"): 2}
    german = wanted(corpus, translator, ["fr"], sides=["query"], prefer="de")
    assert list(german.jobs) == [("de", "fr")]
    assert join(["Eins.", "", "Zwei."]) == "Eins. Zwei."
    assert join(["一。", "二。"]) == "一。二。"


def test_nothing_is_translated_twice_also_after_a_kill(models: dict[str, Path], tmp_path: Path) -> None:
    corpus, inner = (
        corpus_of(),
        Translator(models["marian"], TranslateSettings(beams=1, longest=12, tokens=12), device="cpu"),
    )
    want = wanted(corpus, inner, ["de"], sides=["passage"])
    whole = Counting(inner)
    with Store(tmp_path / "whole.jsonl") as store:
        expected = translate_corpus(corpus, whole, want, store)  # type: ignore[arg-type]
    assert whole.asked == expected.sentences == 4
    first = Counting(inner, fail_after=1)
    with pytest.raises(KeyboardInterrupt), Store(tmp_path / "killed.jsonl") as store:
        translate_corpus(corpus, first, want, store)  # type: ignore[arg-type]
    lines = (tmp_path / "killed.jsonl").read_bytes()
    assert 1 <= lines.count(b"\n") < 4
    (tmp_path / "killed.jsonl").write_bytes(lines + b'{"key": "half a li')  # killed while it wrote
    second = Counting(inner)
    with Store(tmp_path / "killed.jsonl") as store:
        assert len(store) == lines.count(b"\n")
        resumed = translate_corpus(corpus, second, want, store)  # type: ignore[arg-type]
    assert second.asked == 4 - lines.count(b"\n")
    assert resumed.corpus.texts.to_pylist() == expected.corpus.texts.to_pylist()
    assert resumed.cut == expected.cut > 0
    assert sorted((tmp_path / "killed.jsonl").read_bytes().splitlines()) == sorted(
        (tmp_path / "whole.jsonl").read_bytes().splitlines()
    )
    third = Counting(inner)
    with Store(tmp_path / "killed.jsonl") as store:
        assert translate_corpus(corpus, third, want, store).sentences == 0  # type: ignore[arg-type]
    assert third.asked == 0


def test_keys_stand_for_everything_that_matters(models: dict[str, Path], tmp_path: Path) -> None:
    one = Translator(models["marian"], SHORT, device="cpu")
    keys = {
        key_of(one, "en", "de", "a"),
        key_of(one, "en", "fr", "a"),
        key_of(one, "de", "de", "a"),
        key_of(one, "en", "de", "b"),
    }
    keys.add(
        key_of(Translator(models["marian"], TranslateSettings(beams=1, longest=12), device="cpu"), "en", "de", "a")
    )
    shutil.copytree(models["marian"], tmp_path / "copy")
    copy = Translator(tmp_path / "copy", TranslateSettings(beams=2, longest=12, tokens=7), device="cpu")
    assert key_of(copy, "en", "de", "a") in keys  # another place and other batches: the same translation
    config = json.loads((tmp_path / "copy" / "generation_config.json").read_text("utf-8"))
    (tmp_path / "copy" / "generation_config.json").write_text(
        json.dumps(config | {"length_penalty": 2.0}), encoding="utf-8"
    )
    keys.add(key_of(Translator(tmp_path / "copy", SHORT, device="cpu"), "en", "de", "a"))
    assert len(keys) == 6


def test_a_broken_store_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "store.jsonl"
    path.write_text('{"key": "a", "text": "b"}\n[1]\n{"key": "c", "text": "d"}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"store\.jsonl:2: no translation can be read"):
        Store(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        Store(tmp_path / "file" / "store.jsonl")


@pytest.mark.parametrize(
    "content", [b"one text a line", b"id\ttext\n1\tlast line without an end", b'{"query": "a"}', b"\x1f\x8b\x08\0\0"]
)
def test_a_file_of_another_kind_is_no_store_and_keeps_its_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"texts\.txt:1: no translation can be read"):
        Store(path)
    assert path.read_bytes() == content


def test_a_full_disk_is_named_with_the_store(tmp_path: Path) -> None:
    with Store(tmp_path / "store.jsonl") as store:
        store.add({"a": "b"})

        class Full:
            def write(self, data: memoryview) -> int:
                raise OSError(28, "No space left on device")

        file, store._file = store._file, Full()  # type: ignore[assignment]
        with pytest.raises(InputError, match=r"store\.jsonl: cannot be written \(No space left on device\)"):
            store.add({"c": "d"})
        store._file = file
        with pytest.raises(InputError, match="another process is writing there"):
            Store(tmp_path / "store.jsonl")
    with Store(tmp_path / "store.jsonl") as store:
        assert len(store) == 1


# --- the command


def test_augment_translates_marks_and_changes(models: dict[str, Path], tmp_path: Path) -> None:
    write(tmp_path / "pairs.jsonl", corpus_of())
    given = {"rate": 0.5, "share": 1.0, "into": ["fr"]}
    translation = {"translate": str(models["m2m100"]), "beams": 1}
    out = tmp_path / "out"
    job = augmenting.job(f"pairs:{tmp_path / 'pairs.jsonl'}", out, given, translation=translation)
    assert job.factors == (1.0,)
    shown = io.StringIO()
    told = augmenting.augment(job, stream=shown)
    assert told["translated"]["texts"] == 4
    assert "translate en" in shown.getvalue()
    lines = [record for _, record in read_jsonl(out / "x1.jsonl")]
    french = [line for line in lines if line["query_lang"] == "fr"]
    assert french
    assert all(line["origin"] == {"query": "mt:en", "passage": "mt:en"} for line in french)
    assert all("origin" not in line for line in lines if line["query_lang"] == "en")
    again, tally = read_training(out / "x1.jsonl")
    assert tally.left_out == {}
    assert again.languages == ("de", "en", "fr")
    before = (out / "translations.jsonl").read_bytes()
    both = augmenting.job(
        f"pairs:{tmp_path / 'pairs.jsonl'}", out, given, kinds=["swap"], factor=["1", "2"], translation=translation
    )
    told = augmenting.augment(both)
    assert (out / "translations.jsonl").read_bytes() == before
    assert told["changed"]["swap"].keys() >= {"en"}
    copies = [record for _, record in read_jsonl(out / "x2.jsonl")]
    assert copies[: len(lines)] == lines
    look = augmenting.job(f"pairs:{tmp_path / 'pairs.jsonl'}", None, given, translation=translation, sample=1)
    shown = io.StringIO()
    assert augmenting.augment(look, stream=shown) == {}
    assert shown.getvalue().count("translate en") == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "no such folder; did you mean 'marian'"),
        ({}, r"holds no config\.json, so it is no folder of a translation model"),
        ({"config.json": "{"}, r"config\.json:1: not JSON"),
        ({"config.json": '{"model_type": "bert"}'}, "holds a model of type 'bert'; known: marian"),
        ({"config.json": '{"model_type": "marian"}', "pytorch_model.bin": ""}, "has no weights as safetensors"),
        ({"config.json": '{"model_type": "marian"}', "model.safetensors": "x"}, "cannot be loaded"),
    ],
)
def test_a_folder_that_is_no_translation_model(tmp_path: Path, files: dict[str, str] | None, message: str) -> None:
    (tmp_path / "marian").mkdir()
    folder = tmp_path / "marain"
    if files is not None:
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        Translator(folder)
    assert str(folder) in str(caught.value)


def test_bad_requests(models: dict[str, Path], tmp_path: Path) -> None:
    corpus, translator = corpus_of(), Translator(models["marian"], SHORT, device="cpu")
    with pytest.raises(InputError, match="into: no language is given"):
        wanted(corpus, translator, [], sides=["query"])
    with pytest.raises(InputError, match="translates from none of de"):
        wanted(corpus.restrict(["de"]), translator, ["de"], sides=["query"])
    for settings in ({"beams": 0}, {"longest": 0}, {"tokens": -1}):
        with pytest.raises(InputError, match=f"^{next(iter(settings))}: "):
            TranslateSettings(**settings)
    for words, message in (
        ({"translate": "x"}, "into: is missing"),
        ({"translate": "x", "translated": "querry"}, "'querry' is unknown; did you mean 'query'"),
    ):
        into = [] if "translated" not in words else ["de"]
        with pytest.raises(InputError, match=message):
            augmenting.job("x", tmp_path, {"rate": 0.2, "share": 1.0, "into": into}, translation=words)
    assert np.array_equal(wanted(corpus, translator, ["de"], sides=["query"]).first(1).texts, 0)
