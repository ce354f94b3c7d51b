"""Vectors kept on disk: the same bits as encoding, made once, and what is damaged, changed or too much."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tests.encoder.conftest import MIXED
from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.encoder import vector_cache as kept
from triglot.encoder.computing import Computing
from triglot.encoder.languages import ByLanguage, Removal
from triglot.encoder.once import encode_once

SETTINGS = EncoderSettings(
    kind="transformer", dim=16, vocab=300, layers=1, heads=2, query_length=12, passage_length=24, query_prefix="q: "
)


@pytest.fixture(scope="module")
def folder(words, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m"
    init_encoder(SETTINGS, words, seed=1).save(path)
    return path


@pytest.fixture
def counted(folder, tmp_path, monkeypatch):
    """A loader of encoders with a cache, and the list of what was really encoded."""
    calls: list[tuple[str, int]] = []

    def load(cache=tmp_path / "cache"):
        encoder = load_encoder(folder)
        encode = encoder.encode

        def noted(texts, *, side, langs=None, progress=False):
            calls.append((side, len(texts)))
            return encode(texts, side=side, langs=langs, progress=progress)

        monkeypatch.setattr(encoder, "encode", noted, raising=True)
        kept.attach(encoder, cache)
        return encoder

    return load, calls


def files(tmp_path):
    return sorted((tmp_path / "cache").glob("*.vectors"))


def test_the_same_bits_and_encoded_once(folder, counted, tmp_path):
    load, calls = counted
    plain = load_encoder(folder).encode(MIXED, side="query")
    for _ in range(2):  # another process would load the model again
        found = encode_once(load(), MIXED, "query")
        np.testing.assert_array_equal(found.view(np.uint32), plain.view(np.uint32))
        found[0] = 0  # nobody else's
    assert calls == [("query", len(MIXED))]
    encode_once(load(), [*MIXED, *MIXED[:2]], "query")  # equal texts are one
    assert len(calls) == 1
    for texts, side in ((MIXED, "passage"), (MIXED[::-1], "query"), (MIXED[:-1], "query")):
        encode_once(load(), texts, side)
    assert len(calls) == 4
    assert len(files(tmp_path)) == 4
    encode_once(load(), MIXED, "query", keep=False)
    encode_once(load(None), MIXED, "query")
    assert len(calls) == 6


def test_a_copy_of_the_model_has_the_same_vectors_and_another_length_or_prefix_others(folder, counted, tmp_path):
    load, _ = counted
    encoder = load()
    encode_once(encoder, MIXED, "query")
    encoder.save(tmp_path / "copy")
    same, other, third = (load_encoder(tmp_path / "copy") for _ in range(3))
    assert kept.content_of(same) == kept.content_of(encoder)
    other.lengths["query"] = 8
    third.prefixes["query"] = "ask: "
    assert len({kept.content_of(one) for one in (same, other, third)}) == 3
    with torch.no_grad():
        next(other.model.parameters())[3, 0] += 1e-3
    other.lengths["query"] = 12
    assert kept.content_of(other) != kept.content_of(same)


def test_another_way_of_computing_has_vectors_of_its_own(folder, tmp_path):
    ways = [Computing(), Computing(precision="bf16"), Computing(batch_size=2)]
    for computing in ways:
        encoder = load_encoder(folder, computing=computing)
        kept.attach(encoder, tmp_path / "cache")
        encode_once(encoder, MIXED, "query")
    assert len(files(tmp_path)) == len(ways)
    encoder = load_encoder(folder, computing=Computing(device="cpu", precision="fp32"))
    kept.attach(encoder, tmp_path / "cache")
    encode_once(encoder, MIXED, "query")
    assert len(files(tmp_path)) == len(ways) + torch.accelerator.is_available()


def test_a_model_that_was_changed_after_it_got_its_cache_is_encoded_anew(counted, tmp_path):
    load, calls = counted
    encoder = load()
    before = encode_once(encoder, MIXED, "query")
    optimizer = torch.optim.SGD(encoder.model.parameters(), lr=0.5)
    encoder(**encoder.features(MIXED[:2], [0, 1])).sum().backward()
    optimizer.step()
    after = encode_once(encoder, MIXED, "query")
    assert np.abs(after - before).max() > 1e-4
    assert (len(calls), len(files(tmp_path))) == (2, 1)
    encode_once(encoder, MIXED, "query")
    assert len(calls) == 3


def test_damaged_files_are_encoded_again(counted, tmp_path, caplog):
    load, calls = counted
    whole = encode_once(load(), MIXED, "passage")
    (file,) = files(tmp_path)
    data = file.read_bytes()
    flipped = bytearray(data)
    flipped[-5] ^= 16
    for broken in (b"", data[:-8], bytes(flipped), data + b"\0", b"{}\n" + data, b"\xff" * 5000):
        file.write_bytes(broken)
        np.testing.assert_array_equal(encode_once(load(), MIXED, "passage"), whole)
        assert file.read_bytes() == data
    assert len(calls) == 7
    assert "damaged; its texts are encoded again" in caplog.text


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    cache = kept.VectorCache(tmp_path / "cache", limit=1000)
    vectors = np.ones((4, 16), np.float32)  # 256 bytes
    keys = [f"{number:032x}" for number in range(4)]
    stranger = tmp_path / "cache" / "notes.txt"
    for age, key in enumerate(keys[:3]):
        cache.put(key, vectors)
        os.utime(tmp_path / "cache" / f"{key}.vectors", (age, age))
    stranger.write_text("x" * 5000)
    assert cache.get(keys[0], (4, 16)) is not None  # used just now
    cache.put(keys[3], vectors)
    assert [cache.get(key, (4, 16)) is not None for key in keys] == [True, False, True, True]
    assert stranger.exists()
    cache.put("f" * 32, np.ones((4, 160), np.float32))  # more than all may take
    assert not (tmp_path / "cache" / f"{'f' * 32}.vectors").exists()
    assert cache.get(keys[3], (5, 16)) is None


def test_leftovers_of_killed_writers_go_and_those_of_living_ones_stay(tmp_path):
    cache = kept.VectorCache(tmp_path)
    key = "0" * 32
    old, new, foreign = (
        tmp_path / name for name in (f".{key}.vectors.abcdefgh.part", f".{key}.vectors.bcdefghi.part", ".x")
    )
    for file in (old, new, foreign):
        file.write_bytes(b"half")
        os.utime(file, (1, 1))
    os.utime(new)
    cache.put(key, np.ones((1, 2), np.float32))
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([new.name, foreign.name, f"{key}.vectors"])


def test_many_writers_and_readers_of_one_key(tmp_path):
    cache = kept.VectorCache(tmp_path)
    vectors = np.random.default_rng(1).normal(size=(50, 32)).astype(np.float32)

    def both(_):
        cache.put("a" * 32, vectors)
        return cache.get("a" * 32, (50, 32))

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(both, range(60)):
            np.testing.assert_array_equal(found, vectors)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_cannot_be_written_costs_a_warning(counted, tmp_path, caplog):
    load, _ = counted
    (tmp_path / "file").write_text("")
    encoder = load(tmp_path / "file")
    assert encode_once(encoder, MIXED, "query").shape == (len(MIXED), 16)
    assert "vectors are not kept" in caplog.text


def test_a_step_for_each_language_shares_the_vectors_before_it(counted, tmp_path):
    load, calls = counted
    plain = load()
    encode_once(plain, MIXED, "passage")
    step = Removal(("de", "en"), np.full((2, 16), 0.1, np.float32), np.zeros((2, 0, 16), np.float32))
    debiased = ByLanguage(load(), step)
    kept.attach(debiased, tmp_path / "cache")
    langs = ["de", "en"] * (len(MIXED) // 2) + ["de"] * (len(MIXED) % 2)
    found = encode_once(debiased, MIXED, "passage", langs=langs)
    assert len(calls) == 1
    kept_out = ByLanguage(load(None), step).encode(MIXED, side="passage", langs=langs)
    np.testing.assert_array_equal(found, kept_out)


def test_where_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv(kept.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kept.place() == tmp_path / "triglot" / "vectors"
    assert kept.place(str(tmp_path / "other")) == tmp_path / "other"
    assert kept.place("off") is None
    monkeypatch.setenv(kept.VARIABLE, "off")
    assert kept.place() is None
    assert kept.place(str(tmp_path)) == tmp_path
