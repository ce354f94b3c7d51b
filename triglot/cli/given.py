"""Options that somebody gave although the command would pass over them: they are refused by name."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from triglot.files import InputError


def refuse(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Raises InputError for the first of these parameters of the running command that was given.

    Args:
        context: of the command.
        names: parameters, as the function of the command calls them.
        why: what the message says of it: `goes with --from MODEL`.
    """
    known = {parameter.name: parameter for parameter in context.command.params}
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            spelt = known[name].opts if context.params.get(name) else known[name].secondary_opts or known[name].opts
            raise InputError(f"{spelt[0]}: {why}")
