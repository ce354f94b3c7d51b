"""What learned word lists are worth: `python benchmarks/wordlists.py [data folder]`, judged against MUSE, with time and
memory.

Learns lists between English and ten languages from bitext and NTREX together, and prints the table of
`triglot lists --against`. `precision` is the share of learned entries that MUSE has, of those whose word MUSE knows;
`first` the same of the best translation of each word; `recall` the share of MUSE's words that occur in two sentences or
more and got a translation that MUSE has. The settings were chosen on German, Turkish and Chinese.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import sys
import time
from pathlib import Path

from triglot.augment.learn import LearnSettings
from triglot.commands.lists import lists_from, verdict_lines


def main(data: Path) -> None:
    start = time.process_time()
    verdicts = lists_from(
        [str(data / "bitext"), str(data / "ntrex")], None, LearnSettings(), against=str(data / "muse")
    )
    print("\n".join(verdict_lines(verdicts)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{time.process_time() - start:.0f} seconds of CPU time, {peak:.1f} GB of memory at most")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data"))
