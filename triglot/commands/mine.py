"""`triglot mine`: a source of pairs, a model, settings; hard negatives as JSON lines and what was found."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triglot import outputs
from triglot.commands.models import BM25, load_model, paths_of
from triglot.commands.sources import read_source, source_path
from triglot.corpus.formats.pair_writer import check_output_format
from triglot.document import Document, key_values
from triglot.encoder.computing import USUAL, Computing
from triglot.files import InputError, write_json
from triglot.mine import MineSettings, clear_parts, digest, mine, parts_folder, render, write
from triglot.progress import Bar
from triglot.renamed import renamed
from triglot.settings import build, plain

log = logging.getLogger("triglot")


RANDOM = "random"


def _tell(old: str, now: str) -> None:
    log.warning("%s is called %s now", old.removeprefix("refresh."), now.removeprefix("refresh."))


def settings_of(words: Sequence[str], model: str = "") -> MineSettings:
    """The settings of `key=value` words; a MODEL that is `bm25` or `random` is a source without a model.

    Raises:
        InputError: an unknown key or value, a model where none is needed, or none where one is.
    """
    values = renamed({"refresh": key_values(words)}, _tell)["refresh"]
    if model in (BM25, RANDOM) and values.setdefault("source", model) != model:
        hint = "; give the model, BM25 needs none" if values["source"] == "both" else ""
        raise InputError(f"--model {model}: does not go with source={values['source']}{hint}")
    settings = build(MineSettings, Document(values, "mine"))
    if settings.needs_model and not model:
        raise InputError(
            f"--model: is missing; source={settings.source} needs a model folder or hub name, or take --model bm25"
        )
    if not settings.needs_model and model not in ("", settings.source):
        raise InputError(f"--model {model}: is not used with source={settings.source}; leave one of them out")
    return settings


def mine_source(
    source: str,
    out: str | Path,
    settings: MineSettings,
    *,
    model: str = "",
    output_format: str = "tevatron",
    languages: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    computing: Computing = USUAL,
    force: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Mine a source and write it with its hard negatives.

    Started again after it was killed, it goes on where it stopped.

    Args:
        source: `FORMAT:PATH`, or a path whose format is detected from the file names.
        out: a `.jsonl` file; the report stands beside it, under `.report.json`.
        settings: of the mining.
        model: a model or run folder, or a hub name.
        output_format: of the lines, see `triglot.mine.write`.
        languages: read only these.
        options: of the format's reader.
        computing: how the model computes.
        force: replace what another command wrote.
        progress: show a bar.

    Returns:
        the report.

    Raises:
        InputError: names what does not fit.
    """
    output_format = check_output_format(output_format, "--output-format")
    out = Path(out)
    report = out.with_name(out.name + ".report.json")
    inputs = [source_path(source), *paths_of(model)]
    with outputs.files({"lines": out, "report": report}, "mine", inputs=inputs, force=force, report="report") as place:
        corpus = read_source(source, languages=languages, options=options)
        encoder = load_model(model, computing=computing) if settings.needs_model else None
        if encoder is None:
            computing.refused(model or settings.source)
        parts = parts_folder(out, digest(corpus, settings, encoder))
        with Bar("mining", progress) as bar:
            mined = mine(corpus, settings, encoder, parts=parts, progress=bar.reach)
        written, left_out = write(place / out.name, mined, output_format=output_format)
        report_of_run = {
            "source": source,
            "model": model,
            "settings": plain(settings),
            "output_format": output_format,
            "written": written,
            **mined.report,
        }
        if left_out:
            report_of_run["left_out_short"] = left_out
            log.warning(
                "%s: %d lines with fewer negatives than asked for left out; %s cannot hold them",
                out,
                left_out,
                output_format,
            )
        write_json(place / report.name, report_of_run)
    clear_parts(out)
    log.info("%s", render(mined.report))
    return report_of_run
