"""What a process of its own does in tests of mining: `Server.run([...], call="tests.mine.jobs:in_small_blocks")`."""

from __future__ import annotations

import sys

from triglot.cli import main
from triglot.mine import run


def in_small_blocks(*words: str) -> None:
    """`triglot mine` in blocks of 16 lines."""
    run.BLOCK = run.ENCODED = 16
    sys.argv = ["triglot", "mine", *words]
    main()
