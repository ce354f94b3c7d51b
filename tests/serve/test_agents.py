"""The tools of the Model Context Protocol, asked by the official client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from mcp import Client

from tests.search.small import Words, small
from triglot.index.store import DiskIndex
from triglot.search.searcher import Searcher, SearchSettings
from triglot.serve.agents import create_server


def test_search_and_bias_are_tools(tmp_path: Path) -> None:
    searcher = Searcher(Words(), small(tmp_path / "i"))

    async def run() -> list[Any]:
        async with Client(create_server(searcher)) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            found = await client.call_tool(
                "search", {"query": "de-river", "lang": "de", "k": 3, "filters": ["number<20"]}
            )
            wrong = await client.call_tool("search", {"query": "de-river", "mode": "fare"})
            bias = await client.call_tool("bias", {})
            beyond = await client.call_tool("search", {"query": "de-river", "k": 1000})
            told = json.loads(found.content[0].text)["hits"][0]["id"]
            DiskIndex(tmp_path / "i").delete([told])  # by another process
            later = await client.call_tool("search", {"query": "de-river", "lang": "de", "k": 50})
            assert told not in [hit["id"] for hit in json.loads(later.content[0].text)["hits"]]
            return [tools, found, wrong, bias, beyond]

    before = [hit.id for hit in searcher.search("de-river", SearchSettings(k=3, where=("number<20",)), lang="de").hits]
    tools, found, wrong, bias, beyond = asyncio.run(run())
    assert set(tools) == {"search", "bias"}
    assert [hit["id"] for hit in json.loads(found.content[0].text)["hits"]] == before
    assert "did you mean 'fair'" in json.loads(wrong.content[0].text)["error"]
    assert json.loads(bias.content[0].text)["probes"]["fair"]["excess"] < 0.2
    assert beyond.is_error
