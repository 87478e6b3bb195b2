"""The library as a tool: what an agent calls `memory_retrieval`."""

from collections.abc import Callable

from smolagents import Tool

NOTHING = "Nothing in the experience library fits this query."
MAX_QUERY_CHARACTERS = 4000
"""Of a longer query the rest is not read."""


class MemoryRetrievalTool(Tool):  # type: ignore[misc]
    """A smolagents tool over any function from a query to text."""

    name = "memory_retrieval"
    description = (
        "Searches the library of experiences from earlier tasks: methods, rules with examples, and worked cases, "
        "as well as mistakes to avoid. Call it before you start, and again when the reasoning reaches a new question."
    )
    inputs = {  # noqa: RUF012 - smolagents reads it from the class
        "query": {
            "type": "string",
            "description": "What you need to know now: the kind of problem, its key objects, where you are stuck.",
        }
    }
    output_type = "string"

    def __init__(self, read: Callable[[str], str]) -> None:
        super().__init__()
        self._read = read

    def forward(self, query: str) -> str:
        if not isinstance(query, str):  # an agent may pass anything
            raise TypeError(f"query has to be a text, not {type(query).__name__}")
        return self._read(query[:MAX_QUERY_CHARACTERS]) or NOTHING
