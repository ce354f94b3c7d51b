"""The command `study`: a recipe or a study with its arms, run, looked at, or taken apart for a scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triglot.cli import complete
from triglot.cli.app import Anew, Json, Quiet, Settings, app, at_home, listen, print_report, put, within, words
from triglot.cli.computing import TrainingDevice
from triglot.cli.learn import DryRun, print_dry
from triglot.files import InputError, read_json
from triglot.ranges import Count

SizeName = Annotated[
    str,
    typer.Option(
        "--size",
        help="Size of a study: smoke | cpu | full, or one that your own study has.",
        autocompletion=complete.sizes,
    ),
]


@app.command()
def study(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="A study or recipe: a YAML file, or a name of `triglot recipes ls`. With --index: study folders.",
            callback=at_home,
            autocompletion=complete.studies,
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write the results to.", callback=at_home)] = None,
    settings: Settings = None,
    size: SizeName = "",
    arms: Annotated[
        str,
        typer.Option(help="Run only these arms, a comma-separated list of names.", autocompletion=complete.arms),
    ] = "",
    seeds: Annotated[str, typer.Option(help="Run only these seeds, a comma-separated list of numbers.")] = "",
    dry_run: DryRun = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Look for every name, shape and setting, and print the cost; train nothing."),
    ] = False,
    budget: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Leave out the runs that this time is too short for, such as 30m or 2h, and say which; times are "
            "estimated by a timed probe.",
        ),
    ] = "",
    jobs: Annotated[
        int,
        typer.Option(
            help="Runs at the same time; by default as many as cores allow where `train.threads` is set, else one.",
            callback=within(Count),
            show_default=False,
        ),
    ] = 0,
    runner: Annotated[
        str, typer.Option(help="Who runs them: local (processes of this machine) | ray (a Ray cluster).")
    ] = "local",
    print_commands: Annotated[
        bool, typer.Option("--print-commands", help="Print each run as one command, for any scheduler; run nothing.")
    ] = False,
    part: Annotated[
        str,
        typer.Option(
            metavar="ARM/SEED",
            help="Run one run of the study alone, as --print-commands names it; no report is written.",
        ),
    ] = "",
    index: Annotated[
        bool,
        typer.Option("--index", help="Write a page over several study folders, with the state of every claim."),
    ] = False,
    as_json: Json = False,
    device: TrainingDevice = "",
    force: Anew = False,
    quiet: Quiet = False,
) -> None:
    """Run every arm of a recipe or study with every seed and write a report. Started again, it resumes where it
    stopped."""
    progress = listen(quiet)
    if index:
        from triglot.commands.claims import index_page

        if out is None:
            raise InputError("Missing option '--out', the folder to write the index to")
        found = index_page([Path(name) for name in (recipe, *(settings or []))], out)
        return put("study", found, out) if as_json else _print_index(found, out)
    from triglot.commands.study import check as look
    from triglot.commands.study import job, planned_lines, run, run_one
    from triglot.commands.study import print_commands as as_commands

    options = {"arms": words(arms), "seeds": words(seeds), "budget": budget, "runner": runner, "jobs": jobs}
    asked = job(recipe, size, settings or [], **options)
    if check:
        return print_dry("study", *look(asked), as_json)
    if dry_run:
        from triglot.commands.dry import dry_run as dry

        lines, complete = dry(asked.recipe, arms=asked.arms, seeds=asked.seeds)
        if complete:
            lines = [*planned_lines(asked, out), "", *lines]
        return print_dry("study", lines, complete, as_json)
    if out is None:
        raise InputError("Missing option '--out', the folder to write the study to")
    if print_commands:
        lines = as_commands(asked, out)
        return put("study", {"commands": lines}) if as_json else typer.echo("\n".join(lines))
    if part:
        told = run_one(asked, out, part, progress=progress)
        return put("study", {"part": part}, out) if as_json else typer.echo(told)
    report = run(asked, out, force=force, progress=progress)
    if as_json:
        return put("study", read_json(out / "report.json"), out) if report else None
    print_report(report)
    if report is not None and report.content.story is not None:
        from triglot.report.terminal import story_lines

        typer.echo("\n".join(["", *story_lines(report.content.story)]))


def _print_index(found: dict, out: Path) -> None:
    for one in found["studies"]:
        typer.echo(f"{one['name']} {one['size']}")
        for claim in one["claims"]:
            typer.echo(f"  {claim['verdict']:14s}  {claim['id']}")
    typer.echo(f"\nindex: {out / 'index.html'}")
