"""What shards cost: reading, telling languages, encoding, bytes, and what fewer bits of a vector lose.

    python benchmarks/shards.py MODEL PASSAGES --passages 600 --queries QUERIES

Seconds are those of the processor (one thread), so a busy machine makes no difference. Prints a line of JSON for each
figure.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from triglot.commands.export import export
from triglot.commands.index import portions
from triglot.corpus.formats.sources import find, read
from triglot.encoder import load_encoder
from triglot.encoder.languages import detect
from triglot.index.store import create
from triglot.shards import DTYPES, Shards, ShardSettings, encode_shards
from triglot.shards.format import rounded
from triglot.shards.seen import Seen, digests
from triglot.shards.stage import stage


def put(what: str, count: int, seconds: float, **more: object) -> None:
    print(json.dumps({"what": what, "passages": count, "a_second": round(count / seconds, 1), **more}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("passages")
    parser.add_argument("--passages", dest="count", type=int, default=600)
    parser.add_argument("--queries", default="")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        began = time.process_time()
        records = list(read(find(asked.passages)))
        put("read", len(records), time.process_time() - began)
        began = time.process_time()
        (work / "texts").mkdir()
        stage(iter(records), work / "texts", ShardSettings(), "passages", False)
        put("check and stage", len(records), time.process_time() - began)
        ids = [f"{number}" for number in range(1_000_000)]
        seen, began = Seen(), time.process_time()
        for first in range(0, len(ids), 16_384):
            seen.add(digests(ids[first : first + 16_384]))
        put("ids compared", len(ids), time.process_time() - began)
        chosen = records[:: max(1, len(records) // asked.count)][: asked.count]
        texts = [record.row.text for record in chosen]
        detect(texts[:1])
        began = time.process_time()
        detect(texts)
        put("languages told", len(texts), time.process_time() - began)
        encoder = load_encoder(asked.model)
        encoder.encode(texts[:64], side="passage")
        source = work / "some.jsonl"
        lines = [{"id": one.row.id, "text": one.row.text, "lang": one.row.lang} for one in chosen]
        source.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        characters = sum(map(len, texts)) / len(texts)
        began = time.process_time()
        encode_shards(encoder, str(source), work / "fp32", ShardSettings())
        seconds = time.process_time() - began
        tokens = getattr(encoder, "tokenize", None)
        length = round(len(tokens(texts, side="passage")[0]) / len(texts)) if tokens else 0
        put("encode", len(texts), seconds, tokens=length, characters=round(characters))
        index = create(work / "index", *next(portions(str(work / "fp32"), encoder, ())), model=asked.model)
        for dtype in DTYPES:
            began = time.process_time()
            export(str(index.place), "parquet", work / f"as-{dtype}", precision=dtype)
            size = sum(file.stat().st_size for file in Shards(work / f"as-{dtype}").files)
            put(f"write {dtype}", len(texts), time.process_time() - began, bytes=round(size / len(texts)))
        began = time.process_time()
        for _ in Shards(work / "as-fp32").blocks():
            pass
        put("read fp32", len(texts), time.process_time() - began)
        vectors = np.concatenate([block.vectors for block in Shards(work / "fp32").blocks()])
        asked_texts = [record.row.text for record in read(find(asked.queries))][:200] if asked.queries else texts[:200]
        queries = encoder.encode(asked_texts, side="query")
        best = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
        for dtype in DTYPES[1:]:
            numbers, scale = rounded(vectors, dtype)
            near = numbers.astype(np.float32) * (1 if scale is None else scale[:, None])
            found = np.argsort(-(queries @ near.T), axis=1)[:, :10]
            same = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(best.tolist(), found.tolist(), strict=True)])
            first = float((best[:, 0] == found[:, 0]).mean())
            print(
                json.dumps(
                    {"what": f"{dtype} against fp32", "recall@10": round(same, 4), "same first": round(first, 4)}
                )
            )


if __name__ == "__main__":
    main()
