"""What somebody asks with: the languages that they read, in the words of HTTP's Accept-Language, and quotas."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triglot.files import InputError
from triglot.language_tags import tag

_RANGE = re.compile(r"\s*([A-Za-z0-9-]{1,40}|\*)\s*(?:;\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?")
MOST = 64
ANY = "*"


@dataclass(frozen=True)
class Preference:
    """Languages that somebody reads, and how gladly.

    Attributes:
        weights: language or `*` -> weight, 0 to 1; in the order of reading.
    """

    weights: Mapping[str, float]

    def weight(self, code: str) -> float:
        """The weight of a language: its own, else that of what it is a kind of (`zh` for `zh-Hant`), else that of `*`,
        else 0 (RFC 4647, lookup)."""
        parts = code.split("-")
        for length in range(len(parts), 0, -1):
            found = self.weights.get("-".join(parts[:length]))
            if found is not None:
                return found
        return self.weights.get(ANY, 0.0)

    def place(self, code: str) -> tuple[float, int]:
        """What languages are put in order by, the most welcome first: the weight, then where it was named."""
        names = [name for name in self.weights if code == name or code.startswith(f"{name}-")]
        return -self.weight(code), list(self.weights).index(max(names, key=len)) if names else len(self.weights)

    def prior(self, code: str) -> float:
        """What is added to a calibrated score: the logarithm of the weight; minus infinity for 0."""
        weight = self.weight(code)
        return math.log(weight) if weight > 0 else -math.inf


def parse_languages(text: str) -> Preference:
    """Languages with weights, as HTTP's Accept-Language has them (RFC 9110, 12.5.4): `de, en;q=0.5, *;q=0.1`.

    Args:
        text: what is not named, and not met by `*`, has the weight 0 and is not shown.

    Raises:
        InputError: not of that form, a language twice, or more than 64.
    """
    weights: dict[str, float] = {}
    parts = [part for part in text.split(",") if part.strip()]
    if not parts or len(parts) > MOST:
        raise InputError(f"languages {text[:60]!r}: 1 to {MOST} are taken, as in `de, en;q=0.5, *;q=0.1`")
    for part in parts:
        match = _RANGE.fullmatch(part)
        name = match and (ANY if match[1] == ANY else tag(match[1]))
        if match is None or not name:
            raise InputError(
                f"languages {text[:60]!r}: {part.strip()[:40]!r} is no language with a weight (`en;q=0.5`)"
            )
        if name in weights:
            raise InputError(f"languages {text[:60]!r}: {name} is there twice")
        weights[name] = float(match[2] or 1)
    return Preference(weights)


def parse_quotas(words: Sequence[str]) -> dict[str, int]:
    """Quotas, language or `*` -> hits at most: `de=2`, `*=5`.

    Raises InputError for a word of another form, or a language that is there twice.
    """
    found: dict[str, int] = {}
    for word in words:
        name, equals, count = (part.strip() for part in word.partition("="))
        code = ANY if name == ANY else tag(name)
        if not equals or not code or not re.fullmatch(r"[0-9]{1,6}", count):
            raise InputError(f"quota {word[:40]!r}: LANGUAGE=NUMBER was expected, such as de=2 or *=5")
        if code in found:
            raise InputError(f"quota {word[:40]!r}: {code} is there twice")
        found[code] = int(count)
    return found


def quota_of(quotas: Mapping[str, int], code: str) -> int | None:
    """The quota of a language: its own, else that of what it is a kind of, else that of `*`; None for none."""
    for name in (code, code.partition("-")[0], ANY):
        if name in quotas:
            return quotas[name]
    return None
