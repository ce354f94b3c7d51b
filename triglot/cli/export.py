"""The command that writes for other software: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli.app import Command, Force, Json, Quiet, app, at_home, listen, put

_TARGETS = ("onnx", "openvino", "parquet")


@app.command(cls=Command)
def export(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|INDEX",
            help="A model or run folder, or a name on the Hugging Face Hub; for parquet the folder of an index.",
            callback=at_home,
        ),
    ],
    to: Annotated[str, typer.Option("--to", help=f"What to write: {' | '.join(_TARGETS)}.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", callback=at_home)],
    precision: Annotated[
        str,
        typer.Option(help="Numbers: fp32 | int8; of parquet also fp16. fp32 by default."),
    ] = "",
    as_json: Json = False,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Export a model to ONNX or OpenVINO, with its parity to torch measured; or an index to Parquet."""
    listen(quiet)
    from triglot.commands.export import export as write

    told = write(source, to, out, precision=precision, force=force)
    if as_json:
        return put("export", told, out)
    if "file" not in told:
        return typer.echo(f"{out}: {told['rows']:,} passages in {told['dtype']}, {told['shards']} shards")
    typer.echo(
        f"{out}/{told['file']}: vectors at {told['mean']:.5f} on average, {told['least']:.5f} at least, in cosine to "
        f"torch's in fp32 ({told['texts']} texts in {told['languages']} languages)"
    )
