"""Scripts of the repository, run from its root: `python -m tools.keys`."""
