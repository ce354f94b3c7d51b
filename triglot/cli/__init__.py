"""The command `triglot`: one function a command, no logic. Heavy imports are inside the functions."""

# Importing registers the commands, in the order of --help.
# isort: off
from triglot.cli.app import app, main
from triglot.cli import learn, study, judge, check, robust, augment, use, export, index, look

__all__ = ["app", "augment", "check", "export", "index", "judge", "learn", "look", "main", "robust", "study", "use"]
