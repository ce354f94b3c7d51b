"""The service against its own description: requests made of it by schemathesis, one after another and in chains.

More of them: `TRIGLOT_EXAMPLES=200 .venv/bin/python -m pytest -m peers tests/serve/test_openapi.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.search.small import Words, small
from tests.serve.serving import serving
from triglot.index.store import DiskIndex
from triglot.search.searcher import Searcher
from triglot.serve.settings import ServeSettings
from triglot.serve.tokens import Tokens, hashed

pytestmark = [pytest.mark.peers, pytest.mark.slow]
EXAMPLES = int(os.environ.get("TRIGLOT_EXAMPLES", "6"))
KNOWN = settings(
    max_examples=EXAMPLES,
    stateful_step_count=6,
    deadline=None,
    derandomize="TRIGLOT_EXAMPLES" not in os.environ,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
BEARER = {"Authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    place = small(tmp_path_factory.mktemp("index") / "i").place
    allowed = ServeSettings(rate=100_000, seconds=20, body=200_000)
    with serving(Searcher(Words(), DiskIndex(place)), allowed, tokens=Tokens([hashed("secret")])) as address:
        yield address, place


@pytest.fixture(scope="module")
def schema(served: tuple[str, Path]) -> Any:
    schemathesis = pytest.importorskip("schemathesis")
    return schemathesis.openapi.from_url(f"{served[0]}/openapi.json")


def checks() -> list[Any]:
    """No 5xx, and each answer is one that the description has: status, media type, shape."""
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks as known

    names = ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
    return [not_a_server_error, *(getattr(known, name) for name in names)]


def test_every_operation_answers_as_described(schema: Any) -> None:
    seen = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        seen.add(operation.label)

        @KNOWN
        @_given(operation)
        def test(case: Any) -> None:
            case.call_and_validate(headers=BEARER, checks=checks())

        test()
    assert {"POST /search", "POST /documents", "DELETE /documents", "POST /rerank", "POST /v1/embeddings"} <= seen


def _given(operation: Any) -> Any:
    """What the operation is described to take, and what it is not."""
    from hypothesis import given
    from hypothesis import strategies as st
    from schemathesis import GenerationMode

    ways = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    return given(case=st.one_of(ways))


def test_chains_of_requests_end_in_no_fault(schema: Any, served: tuple[str, Path]) -> None:
    """What was added is searched, replaced and deleted, by the links of the description."""
    machine = schema.as_state_machine()

    class Chain(machine):
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": BEARER}

        def validate_response(self, response: Any, case: Any, **more: Any) -> None:
            case.validate_response(response, checks=checks())

    Chain.run(settings=KNOWN)
    index = DiskIndex(served[1])
    assert len(index) == sum(index.counts.values())


def test_nothing_is_written_without_a_token(schema: Any, served: tuple[str, Path]) -> None:
    before = DiskIndex(served[1]).stats()["generation"]
    refused = 0
    for path, method in (("/documents", "POST"), ("/documents", "DELETE")):
        operation = schema[path][method]

        @KNOWN
        @_given(operation)
        def test(case: Any) -> None:
            nonlocal refused
            for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer secret2"}):
                case.headers = {}
                status = case.call(headers=headers).status_code
                assert status not in (200, 500), status
                refused += status == 401

        test()
    assert refused
    assert DiskIndex(served[1]).stats()["generation"] == before
