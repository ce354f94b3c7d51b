"""Which rows make a batch, and in which languages: a pure function of (rows, settings, seed, epoch, step). NumPy only.

`settings` says what is asked for, `strata` what rows can be shown in, `pools` which rows share a batch, `filling` and
`turns` how popular families and languages with few rows do so, `kinds` which pairs of languages a batch is shown in,
`languages` how these are distributed, `ledger` who is next, and `plan` puts it together: `plan_epoch` for one pass over
the rows, `plan_run` for a run over several sources.

The rows of a step are settled first and do not depend on the kind of batch, so that arms are compared on the same data.
"""

from triglot.batches.kinds import KINDS, Kind
from triglot.batches.languages import off_diagonal
from triglot.batches.plan import (
    EpochPlan,
    RunPlan,
    Step,
    counts_of,
    describe,
    interleave,
    plan_epoch,
    plan_run,
    rank_slice,
)
from triglot.batches.settings import BatchSettings, Rows, rows_of

__all__ = [
    "KINDS",
    "BatchSettings",
    "EpochPlan",
    "Kind",
    "Rows",
    "RunPlan",
    "Step",
    "counts_of",
    "describe",
    "interleave",
    "off_diagonal",
    "plan_epoch",
    "plan_run",
    "rank_slice",
    "rows_of",
]
