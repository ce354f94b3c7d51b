"""Search and bias as tools of the Model Context Protocol, for language models that look things up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from mcp.server import MCPServer
from pydantic import Field

import triglot
from triglot.files import InputError
from triglot.search.modes import MODES
from triglot.search.searcher import Searcher, SearchSettings
from triglot.serve.probes import probed

_MOST = 50


def create_server(searcher: Searcher) -> MCPServer[Any]:
    """A server with the tools `search` and `bias`; `run("stdio")` serves whoever started the process.

    Args:
        searcher: model and index.
    """
    index: Any = searcher.index
    spoken = ", ".join(code for code in searcher.index.languages if code)
    server: MCPServer[Any] = MCPServer(
        "triglot",
        version=triglot.__version__,
        instructions=f"Passages in {spoken}; ask in any of these.",
    )

    @server.tool()
    def search(
        query: Annotated[str, Field(min_length=1, max_length=2000, description="What is looked for.")],
        k: Annotated[int, Field(ge=1, le=_MOST, description="Passages that are wanted.")] = 10,
        lang: Annotated[str, Field(max_length=40, description="Language of the query; told by it where empty.")] = "",
        mode: Annotated[str, Field(max_length=40, description=f"Ranking: {', '.join(MODES.names())}.")] = "fair",
        languages: Annotated[
            str, Field(max_length=1000, description="Languages that the reader reads: 'de, en;q=0.5'.")
        ] = "",
        filters: Annotated[
            Sequence[str], Field(max_length=32, description="Conditions on metadata: 'year>=2020'.")
        ] = (),
    ) -> dict[str, Any]:
        """Passages for a question, in any language, without a preference for one."""
        try:
            index.refresh()
            settings = SearchSettings(k=k, mode=mode, languages=languages, where=tuple(filters))
            return asdict(searcher.search(query, settings, lang=lang))
        except InputError as error:
            return {"error": str(error)}

    @server.tool()
    def bias() -> dict[str, Any]:
        """How much rankings here prefer a passage's own language: the excess is 0 for none, 1 for nothing else."""
        try:
            index.refresh()
        except InputError as error:
            return {"error": str(error)}
        return {"passages": dict(index.counts), "probes": probed(index)}

    return server
