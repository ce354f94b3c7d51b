"""Small inputs for every command that writes, and its words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.translators import marian
from triglot.encoder import EncoderSettings, init_encoder

WORDS = {
    "de": ["Fluss", "Berg", "Stadt", "König", "Winter", "Brot", "Stein", "Pferd"],
    "en": ["river", "mountain", "city", "king", "winter", "bread", "stone", "horse"],
}
RESULT = "out"  # of each command; `files` names what it writes there


def inputs(root: Path) -> Path:
    """Two models and one that translates, training pairs, a benchmark in two languages."""
    rng = np.random.default_rng(3)
    lines, articles = [], {code: [] for code in WORDS}
    for n in range(30):
        chosen = rng.choice(8, 4, replace=False)
        for code, known in WORDS.items():
            text = " ".join(known[i] for i in chosen)
            lines.append(
                {
                    "query": f"{text}?",
                    "positive": f"{text} {n}.",
                    "lang": code,
                    "query_group": f"q{n}",
                    "passage_group": f"p{n}",
                }
            )
            answer = {"text": f"{text} {n}.", "answer_start": 0}
            paragraph = {
                "context": f"{text} {n}.",
                "qas": [{"id": f"q{n}", "question": f"{text}?", "answers": [answer]}],
            }
            articles[code].append({"title": f"a{n}", "paragraphs": [paragraph]})
    (root / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (root / "other.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[:40]), encoding="utf-8")
    (root / "one.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[:4]), encoding="utf-8")
    (root / "two.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[2:8]), encoding="utf-8")
    (root / "squad").mkdir()
    for code, made in articles.items():
        (root / "squad" / f"{code}.json").write_text(json.dumps({"data": made}), encoding="utf-8")
    (root / "texts.tsv").write_text("".join(f"t{n}\t{text}\n" for n, text in enumerate(WORDS["en"])), encoding="utf-8")
    mixed = [f"{code},{' '.join(known[n : n + 3])}" for code, known in WORDS.items() for n in range(6)]
    (root / "mixed.csv").write_text("\n".join(["lang,text", *mixed]) + "\n", encoding="utf-8")
    asked = [f"{n},{code},{known[n]}?,{known[n]}" for code, known in WORDS.items() for n in range(8)]
    (root / "faq.csv").write_text("\n".join(["id,lang,question,answer", *asked]) + "\n", encoding="utf-8")
    (root / "few.tsv").write_text(
        "".join(f"f{n}\t{text}\n" for n, text in enumerate(WORDS["de"][:5])), encoding="utf-8"
    )
    counts = {code: dict.fromkeys(known, 5) for code, known in WORDS.items()}
    for number, name in enumerate(("model", "second"), 1):
        init_encoder(EncoderSettings(kind="static", dim=16, vocab=200), counts, seed=number).save(root / name)
    marian(root / "translator", "en", "fr", max_position_embeddings=16)
    return root


def commands(root: Path) -> dict[str, tuple[list[str], list[str], str]]:
    """Name -> words of an older call, words of the call itself, both without `--out`, and the name of what it writes.

    Calls whose name begins with `+` write single files.
    """
    on = ["--on", f"b={root / 'squad'}", "--candidate-text", "sentence", "-q"]
    model, second, pairs, other = (str(root / name) for name in ("model", "second", "pairs.jsonl", "other.jsonl"))
    mixed = str(root / "mixed.csv")
    one, two = str(root / "one.jsonl"), str(root / "two.jsonl")
    french = ["--translation-model", str(root / "translator"), "--into", "fr", "--num-beams", "1", "-q"]
    fresh = ["--dim", "8", "--vocab-size", "120", "-q"]
    return {
        "evaluate": (["evaluate", second, *on], ["evaluate", model, *on, "--save-run", "--force"], "out"),
        "attack": (
            ["attack", second, *on, "--attack", "kinds=swap"],
            ["attack", model, *on, "--attack", "kinds=insert", "--force"],
            "out",
        ),
        "debias": (
            ["debias", second, pairs, "--method", "lsar", "-q"],
            ["debias", model, pairs, "--method", "centre", "-q", "--force"],
            "out",
        ),
        "check": (
            ["check", second, "--texts", mixed, "-q"],
            ["check", model, "--texts", mixed, "-q", "--force"],
            "out",
        ),
        "data prepare": (
            ["data", "prepare", str(root / "faq.csv"), "--test-size", "0.5", "-q"],
            ["data", "prepare", str(root / "faq.csv"), "-q"],
            "out",
        ),
        "index": (
            ["index", second, str(root / "texts.tsv"), "--languages", "en,de", "-q"],
            ["index", model, mixed, "--kind", "hnsw", "-q", "--force"],
            "out",
        ),
        "init": (["init", other, *fresh], ["init", pairs, *fresh], "out"),
        "lists": (["lists", other, "-q"], ["lists", pairs, "-q"], "out"),
        "augment": (
            ["augment", pairs, "--kind", "swap", "--factor", "1,2,3", "-q"],
            ["augment", pairs, "--kind", "insert", "--factor", "1,2", "-q"],
            "out",
        ),
        "translate": (["augment", one, *french], ["augment", two, *french], "out"),
        "+translate": (["augment", one, *french], ["augment", two, *french], "out.jsonl"),
        "+augment": (
            ["augment", other, "--kind", "swap", "-q"],
            ["augment", pairs, "--kind", "insert", "-q"],
            "out.jsonl",
        ),
        "+mine": (
            ["mine", other, "--model", "bm25", "-q", "negatives=1"],
            ["mine", pairs, "--model", "bm25", "-q", "negatives=2"],
            "out.jsonl",
        ),
        "+encode": (
            ["encode", second, str(root / "few.tsv"), "-q"],
            ["encode", model, str(root / "texts.tsv"), "-q"],
            "out.npy",
        ),
    }
