"""A benchmark written in BEIR's layout, a language in every record."""

from __future__ import annotations

from pathlib import Path

from triglot.corpus.formats.beir import Contents
from triglot.corpus.formats.pair_writer import write_records
from triglot.files import write_text


def write(folder: Path, contents: Contents, *, split: str = "test") -> None:
    """Write `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`.

    Args:
        folder: that is made.
        contents: the texts with their titles before them, where they have some; translations share an id.
        split: of the judgements.
    """
    (folder / "qrels").mkdir(parents=True)
    for name, records in (("corpus", contents.corpus), ("queries", contents.queries)):
        write_records(
            folder / f"{name}.jsonl",
            ({"_id": one, "title": "", "text": text, "lang": lang} for (one, lang), text in records.texts.items()),
        )
    lines = [f"{query}\t{document}\t{grade}\n" for query, document, grade in contents.judgements]
    write_text(folder / "qrels" / f"{split}.tsv", "".join(["query-id\tcorpus-id\tscore\n", *lines]))
