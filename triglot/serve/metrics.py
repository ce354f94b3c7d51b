"""Metrics for Prometheus, with languages: which one is asked in, and which ones the answers are in."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as Count

from triglot.measures.bias import excess
from triglot.search.searcher import Answer

OTHER = "other"


class Metrics:
    """Counts of one service.

    Args:
        recent: answers that `bias` looks at.
    """

    def __init__(self, recent: int):
        self.registry = CollectorRegistry()
        more: dict[str, Any] = {"registry": self.registry}
        self._requests = Count("triglot_requests", "Requests by route and status.", ["route", "status"], **more)
        self._seconds = Histogram("triglot_request_seconds", "Seconds of a request.", ["route"], **more)
        self._searches = Count("triglot_searches", "Questions by language and mode.", ["query_lang", "mode"], **more)
        self._hits = Count(
            "triglot_hits", "Hits by language, and that of the question.", ["query_lang", "lang"], **more
        )
        self._batch = Histogram(
            "triglot_batch_size", "Texts encoded together.", buckets=(1, 2, 4, 8, 16, 32, 64), **more
        )
        self._passages = Gauge("triglot_passages", "Passages by language.", ["lang"], **more)
        self._excess = Gauge(
            "triglot_own_language_excess",
            "Of recent answers: 0 as mixed as the pool, 1 nothing but the own language.",
            ["query_lang", "mode"],
            **more,
        )
        self._recent: deque[tuple[str, str, Mapping[str, float]]] = deque(maxlen=recent)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, size: int) -> None:
        """Count texts that were encoded together."""
        self._batch.observe(size)

    def answer(self, answer: Answer) -> None:
        """Count an answer; languages that no passage is in are one, so that no client makes labels without end."""
        asked = answer.lang if answer.lang in answer.pool else OTHER
        self._searches.labels(asked, answer.mode).inc()
        for hit in answer.hits:
            self._hits.labels(asked, hit.lang).inc()
        if answer.hits:
            self._recent.append((answer.mode, asked, answer.composition))

    def text(self, counts: Mapping[str, int]) -> bytes:
        """In Prometheus' text format.

        Args:
            counts: language -> passages.
        """
        self._passages.clear()
        for code, count in counts.items():
            self._passages.labels(code).set(count)
        self._excess.clear()
        total = max(sum(counts.values()), 1)
        pool = {code: count / total for code, count in counts.items()}
        for mode, by_lang in self._by_mode().items():
            for asked, found in _by_language(by_lang, pool).items():
                if "excess" in found:
                    self._excess.labels(asked, mode).set(found["excess"])
        return generate_latest(self.registry)

    def _by_mode(self) -> dict[str, dict[str, list[Mapping[str, float]]]]:
        """Mode -> language of the question -> compositions of recent answers."""
        found: dict[str, dict[str, list[Mapping[str, float]]]] = {}
        for mode, asked, composition in list(self._recent):
            found.setdefault(mode, {}).setdefault(asked, []).append(composition)
        return found

    def recent(self, pool: Mapping[str, float]) -> dict[str, Any]:
        """The languages of recent answers, in all and by the way of ranking and the language of the question, against
        the pool."""
        by_mode = self._by_mode()
        by_lang: dict[str, list[Mapping[str, float]]] = {}
        for held in by_mode.values():
            for asked, some in held.items():
                by_lang.setdefault(asked, []).extend(some)
        return {
            "answers": len(_all(by_lang)),
            "pool": dict(pool),
            "composition": _mean(_all(by_lang)),
            "by_question_language": _by_language(by_lang, pool),
            "by_mode": {
                mode: {
                    "answers": len(_all(held)),
                    "composition": _mean(_all(held)),
                    "by_question_language": _by_language(held, pool),
                }
                for mode, held in by_mode.items()
            },
        }


def _all(by_lang: Mapping[str, list[Mapping[str, float]]]) -> list[Mapping[str, float]]:
    return [one for held in by_lang.values() for one in held]


def _by_language(by_lang: Mapping[str, list[Mapping[str, float]]], pool: Mapping[str, float]) -> dict[str, Any]:
    return {
        asked: {
            "answers": len(held),
            "composition": _mean(held),
            **_own(_mean(held).get(asked, 0.0), pool.get(asked)),
        }
        for asked, held in by_lang.items()
    }


def _mean(compositions: list[Mapping[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for one in compositions:
        total.update(one)
    return {code: round(value / len(compositions), 4) for code, value in total.most_common()}


def _own(share: float, pool: float | None) -> dict[str, float]:
    """The own language's share, and its excess where there is another language."""
    found = {"own_language": round(share, 4)}
    return found if pool is None or pool >= 1 else {**found, "excess": round(excess(share, pool), 4)}
