"""The retriever rho as in the paper: a separate agent that walks the levels of the library (paper, 3.2)."""

import logging
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

import smolagents

from flex.agents.pool import AgentPool
from flex.explib import ExpLib
from flex.memory_retriever import CANDIDATE_CHARACTERS, MemoryRetriever, hits_text, index_order
from flex.prompt import Prompts
from flex.telemetry import span
from flex.types import TOP_K, Experience, Hit, Level, Retrieval

MAX_STEPS = 6
"""The retrieval agent's steps per question."""
IDS_SHOWN = 10
"""How many entries of a category the overview names."""
MAX_TOOL_CHARACTERS = 8_000
"""Of a tool's text, so that the agent's steps stay bounded however large an entry or the library is."""
ENTRIES_LISTED = 10_000
"""Entries whose categories are listed; of a larger library the search reaches the rest."""
log = logging.getLogger(__name__)


class AgenticRetriever:
    """A fresh retrieval agent per query, with tools over the whole library; what it hands in are the hits."""

    def __init__(self, agents: AgentPool, prompts: Prompts) -> None:
        self.prompts = prompts
        self._agents = agents

    async def retrieve(self, query: str, library: ExpLib, hidden: Collection[str] = ()) -> Retrieval:
        """What the agent found; the index's order where it hands in nothing that can be read."""
        if len(library) <= sum(experience_id in library for experience_id in hidden):
            return Retrieval(query)
        task_text = self.prompts.render("retrieval_agent", query=query, top_k=TOP_K)
        with span("retriever", "RETRIEVER", input=query) as recorded:
            made = await self._agents.run(task_text, lambda _: library_tools(library, hidden), MAX_STEPS)
            hits = handed_in(made.output, library, hidden)
            if hits is None:
                log.warning("the retrieval agent selected nothing, the index's order is used: %s", made.text[:200])
                flat = MemoryRetriever(self._agents.model, self.prompts, select=index_order)
                return await flat.retrieve(query, library, hidden)
            found = Retrieval(query, hits, hits_text(hits, library, self.prompts))
            recorded.set(output=found.text)
        return found


def library_tools(library: ExpLib, hidden: Collection[str]) -> Sequence[smolagents.Tool]:
    """What a retrieval agent may call: the index, and each level of an entry by its id."""

    def list_categories() -> str:
        """Lists the categories of all entries with the ids in each."""
        ids: dict[str, list[str]] = {}
        for entry in islice(library, ENTRIES_LISTED):
            if entry.id not in hidden:
                ids.setdefault(entry.problem_category or "(none)", []).append(entry.id)
        rows = (f"{name}: {len(found)} entries, {', '.join(found[:IDS_SHOWN])}" for name, found in ids.items())
        return "\n".join(rows)[:MAX_TOOL_CHARACTERS]

    def search_methods(query: str) -> str:
        """Finds the entries that match a query best, with their methods.

        Args:
            query: Words of the kind of problem, its objects, or the state of the work.
        """
        found = [library.get(hit.experience_id) for hit in library.search(query, 2 * TOP_K, hidden=hidden)]
        texts = (f"[{e.id}] ({e.zone}) {e.problem_category}\n{e.method[:CANDIDATE_CHARACTERS]}" for e in found)
        return "\n\n".join(texts)

    def read_rules(experience_id: str) -> str:
        """Shows the numbered rules of an entry.

        Args:
            experience_id: The id in brackets.
        """
        entry = _visible(library, hidden, experience_id)
        rules = enumerate(entry.rules if entry else (), 1)
        return "\n".join(f"{n}. {r.labelled}" for n, r in rules)[:MAX_TOOL_CHARACTERS] if entry else "no such entry"

    def read_trajectory(experience_id: str) -> str:
        """Shows the worked case of an entry.

        Args:
            experience_id: The id in brackets.
        """
        entry = _visible(library, hidden, experience_id)
        return entry.revised_trajectory[:MAX_TOOL_CHARACTERS] if entry else "no such entry"

    return [smolagents.tool(f) for f in (list_categories, search_methods, read_rules, read_trajectory)]


def handed_in(output: Any, library: ExpLib, hidden: Collection[str]) -> tuple[Hit, ...] | None:
    """The hits in what the agent handed in, unknown ids left out; None when it is no selection at all."""
    if not isinstance(output, dict):
        return None
    ranks = Counter[Level]()

    def hit(level: Level, experience_id: Any, rule: int | None = None) -> list[Hit]:
        if not _visible(library, hidden, experience_id) or ranks[level] >= TOP_K:
            return []
        ranks[level] += 1
        revision = library.revision(experience_id)
        return [Hit(experience_id, 1 / ranks[level], level, ranks[level], rule, revision, "handed in by the agent")]

    hits = [h for one in _list(output, "methods") for h in hit("method", one)]
    for pair in _list(output, "rules"):
        experience_id, number = pair if isinstance(pair, list | tuple) and len(pair) == 2 else (None, None)
        entry = _visible(library, hidden, experience_id)
        if entry and isinstance(number, int) and 1 <= number <= len(entry.rules):
            hits += hit("rule", experience_id, number - 1)
    hits += [h for one in _list(output, "trajectories") for h in hit("trajectory", one)]
    return tuple(hits)


def _visible(library: ExpLib, hidden: Collection[str], experience_id: Any) -> Experience | None:
    known = isinstance(experience_id, str) and experience_id not in hidden and experience_id in library
    return library.get(experience_id) if known else None


def _list(output: dict[str, Any], key: str) -> list[Any]:
    value = output.get(key)
    return value if isinstance(value, list) else []
