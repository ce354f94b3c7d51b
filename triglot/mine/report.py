"""What mining found, in numbers and as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from triglot.corpus.parallel import ParallelCorpus
from triglot.mine.lines import Lines, Pools
from triglot.mine.select import Chosen
from triglot.mine.settings import MineSettings


def report_of(
    corpus: ParallelCorpus, lines: Lines, pools: Pools, quota: np.ndarray, chosen: Chosen, mine: MineSettings
) -> dict[str, Any]:
    """Plain values.

    Returns:
        `lines`, `negatives` (found), `wanted`; `short` {negatives that a line has: lines}, of those with fewer than
        were wanted; `left_out` {candidates, lines} by bounds on scores; `languages` {code: {negatives, share, wanted,
        passages, pool}}, where `share` is of the negatives, `wanted` what was asked for and `pool` the language's share
        of all passages; `positive` {lines, first, first_10, looked_at, within, median}, its rank among the passages of
        its language, where that was searched; `scores` {positive, negative}, means.
    """
    has = chosen.text >= 0
    number = has.sum(axis=1)
    langs = np.bincount(corpus.text_lang[chosen.text[has]], minlength=len(corpus.languages))
    sizes = np.array([len(texts) for texts in pools.texts])
    asked = np.full(len(sizes), np.nan) if mine.negative_languages == "any" else quota.sum(axis=0) / max(quota.sum(), 1)
    wanted = len(lines) * mine.negatives
    short = number < mine.negatives
    values, counts = np.unique(number[short], return_counts=True)
    report: dict[str, Any] = {
        "lines": len(lines),
        "wanted": wanted,
        "negatives": int(has.sum()),
        "short": {str(value): int(count) for value, count in zip(values, counts, strict=True)},
        "left_out": {"candidates": int(chosen.dropped.sum()), "lines": int((chosen.dropped > 0).sum())},
        "languages": {
            corpus.languages[lang]: {
                "negatives": int(langs[lang]),
                "share": round(float(langs[lang] / max(langs.sum(), 1)), 4),
                "wanted": None if np.isnan(asked[lang]) else round(float(asked[lang]), 4),
                "passages": int(sizes[lang]),
                "pool": round(float(sizes[lang] / max(sizes.sum(), 1)), 4),
            }
            for lang in np.flatnonzero(sizes + langs).tolist()
        },
    }
    known = chosen.rank[chosen.rank >= 0]
    if len(known):
        ranks = np.where(known == 0, np.iinfo(np.int64).max, known)
        median = int(np.sort(ranks)[(len(ranks) - 1) // 2])
        report["positive"] = {
            "lines": len(known),
            "first": round(float((ranks == 1).mean()), 4),
            "first_10": round(float((ranks <= 10).mean()), 4) if mine.reach >= 10 else None,
            "looked_at": mine.reach,
            "within": round(float((known > 0).mean()), 4),
            "median": median if median <= mine.reach else None,
        }
    if mine.source != "random" and has.any():
        report["scores"] = {
            "positive": round(float(np.nanmean(chosen.positive)), 4) if not np.isnan(chosen.positive).all() else None,
            "negative": round(float(chosen.score[has].mean()), 4),
        }
    return report


def render(report: dict[str, Any]) -> str:
    """The report as lines of text."""
    out = [f"{report['negatives']:,} negatives for {report['lines']:,} lines, {report['wanted']:,} were wanted"]
    if report["short"]:
        count = sum(report["short"].values())
        fewest = min(map(int, report["short"]))
        out.append(f"{count:,} lines have fewer than were wanted, at least {fewest}")
    if report["left_out"]["candidates"]:
        out.append(
            f"{report['left_out']['candidates']:,} candidates of {report['left_out']['lines']:,} lines left out "
            "by their scores"
        )
    if len(report["languages"]) > 1:
        out.append(f"{'language':10s} {'negatives':>10s} {'share':>7s} {'wanted':>7s} {'pool':>7s}")
        for code, one in report["languages"].items():
            wanted = "any" if one["wanted"] is None else f"{one['wanted']:.1%}"
            out.append(f"{code:10s} {one['negatives']:10,d} {one['share']:7.1%} {wanted:>7s} {one['pool']:7.1%}")
    if "positive" in report:
        one = report["positive"]
        seen = one["looked_at"]
        median = f"median rank {one['median']}" if one["median"] else f"median rank beyond {seen}"
        ten = f" among the first 10 in {one['first_10']:.1%}," if seen > 10 else ""
        out.append(
            f"positives: first of their language in {one['first']:.1%} of {one['lines']:,} lines,{ten}"
            f" among the first {seen} in {one['within']:.1%}; {median}"
        )
    if "scores" in report:
        positive = "unknown" if report["scores"]["positive"] is None else f"{report['scores']['positive']:.4f}"
        out.append(f"mean score: positives {positive}, negatives {report['scores']['negative']:.4f}")
    return "\n".join(out)
