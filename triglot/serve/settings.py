"""What a service allows, as settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Annotated

from triglot.files import SettingError
from triglot.ranges import Range, check_ranges

_HOST = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")


@dataclass(frozen=True)
class ServeSettings:
    """What a service allows.

    Attributes:
        most_hits: of one question.
        longest: characters of a question.
        most_texts: of one request to embed or rerank.
        most_documents: of one request to add or delete.
        body: bytes of a request.
        rate: requests of one client a second; as many again at once after a pause.
        waiting: requests that may wait for the model; more are told to come again.
        batch: questions that are encoded together at most.
        pause: milliseconds that a question waits for others.
        seconds: until a request is given up; also for its body to arrive.
        recent: answers whose languages `/bias` counts.
        hosts: names without ports that a request may call the service by, against DNS rebinding; `*.example.org` for
            all names below one, `*` for any.
        log_queries: write the texts of questions into the log.
    """

    most_hits: Annotated[int, Range(1, 1000)] = 100
    longest: Annotated[int, Range(1, 10_000)] = 2_000
    most_texts: Annotated[int, Range(1, 10_000)] = 256
    most_documents: Annotated[int, Range(1, 100_000)] = 1_000
    body: Annotated[int, Range(1_000, 10**9)] = 8_000_000
    rate: Annotated[float, Range(0, 10**6, above=True)] = 50.0
    waiting: Annotated[int, Range(1, 10**6)] = 256
    batch: Annotated[int, Range(1, 4096)] = 32
    pause: Annotated[float, Range(0, 1000)] = 2.0
    seconds: Annotated[float, Range(0, 3600, above=True)] = 30.0
    recent: Annotated[int, Range(1, 10**6)] = 1_000
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    log_queries: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)
        object.__setattr__(self, "hosts", tuple(map(_host, self.hosts)))


def _host(name: str) -> str:
    """A name as requests have it: in small letters, an IPv6 address in brackets.

    Raises SettingError for what is none.
    """
    told = name.lower()
    if _HOST.fullmatch(told):
        return told
    try:
        return f"[{IPv6Address(told.removeprefix('[').removesuffix(']'))}]"
    except ValueError:
        pass
    bare = re.sub(r":[0-9]*$", "", told)
    if bare != told and _HOST.fullmatch(bare):
        hint = f"{bare} without a port stands for all ports"
    elif told.startswith("*") and _HOST.fullmatch(f"*.{told[1:]}"):
        hint = f"did you mean '*.{told[1:]}'?"
    else:
        hint = "help.example.org, *.example.org (all below it) or * (any) was expected"
    raise SettingError("hosts", f"--allow-host {name[:100]!r}: is no name of a host; {hint}")
