"""The retriever rho: from the library to what an actor reads, methods first, then rules, then trajectories."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from flex.benchmarks import get_benchmark
from flex.errors import ParseError
from flex.explib import ExpLib
from flex.prompt import Prompts
from flex.rate_limiter import ChatModel, RateLimitedLLMClient
from flex.replies import ask, parse_json_as, user
from flex.search.text import rank_texts
from flex.telemetry import span
from flex.types import TOP_K, Experience, Hit, Model, Retrieval, Rule

if TYPE_CHECKING:
    from smolagents import Tool

POOL = 4 * TOP_K
"""Candidates the index proposes to a stage; the model selects `top_k` of them."""
CANDIDATE_CHARACTERS = 700
"""Characters of a candidate that the selecting model sees: three stages of 20 stay below 25,000 tokens, SMILES too."""
log = logging.getLogger(__name__)
Select = Callable[[str, str, Sequence[str]], Awaitable[Sequence[int] | None]]
"""(level, query, candidates in the index's order) -> positions of those selected, best first; None keeps that order."""


async def index_order(level: str, query: str, candidates: Sequence[str]) -> None:
    """Selects the candidates that the index ranks first; no model is asked."""


class MemoryRetriever:
    """At each level the index proposes, and one model call, or `select`, selects `top_k` (paper, 3.2); stateless."""

    def __init__(self, model: Model, prompts: Prompts, top_k: int = TOP_K, *, select: Select | None = None) -> None:
        self.model = model
        self.prompts = prompts
        self.top_k = top_k
        self._select = select

    async def retrieve(self, query: str, library: ExpLib, hidden: Collection[str] = ()) -> Retrieval:
        """What the library has to say about `query`, `hidden` ids passed over: hits at every level, and their text."""
        with span("retriever", "RETRIEVER", input=query) as recorded:
            hits = await self._hits(query, library, hidden)
            found = Retrieval(query, hits, hits_text(hits, library, self.prompts))
            recorded.set(output=found.text)
        return found

    async def _hits(self, query: str, library: ExpLib, hidden: Collection[str]) -> tuple[Hit, ...]:
        select = self._select or ModelSelection(self.model, self.prompts, self.top_k)
        found = await searched(library, query, POOL, hidden)
        texts = [(hit, _method_text(library.get(hit.experience_id))) for hit in found]
        methods = await self._selected("methods", query, texts, select)
        entries = [(hit, library.get(hit.experience_id)) for hit in methods]
        texts = [
            (Hit(entry.id, 0, "rule", rule=number, revision=hit.revision), _rule_text(rule))
            for hit, entry in entries
            for number, rule in enumerate(entry.rules)
            if rule.kind != "avoid"
        ]
        proposed = [texts[place] for place in rank_texts(query, [text for _, text in texts], POOL)]
        rules = await self._selected("rules", query, proposed, select)
        kept = {hit.experience_id for hit in rules}
        kept |= {entry.id for _, entry in entries if all(rule.kind == "avoid" for rule in entry.rules)}
        texts = [
            (Hit(entry.id, 0, "trajectory", revision=hit.revision), entry.revised_trajectory)
            for hit, entry in entries
            if entry.id in kept and entry.revised_trajectory
        ]
        return (*methods, *rules, *await self._selected("trajectories", query, texts, select))

    async def _selected(self, level: str, query: str, proposed: Sequence[tuple[Hit, str]], select: Select) -> list[Hit]:
        """Those of the hits, proposed with their texts, that are selected, best first; asks nobody without a choice."""
        places: Sequence[int] | None = None
        if len(proposed) > self.top_k:
            places = await select(level, query, [text for _, text in proposed])
        by = "" if places is None else f"selected by {self.model.name}"
        chosen = proposed[: self.top_k] if places is None else [proposed[place] for place in places]
        hits = []
        for rank, (hit, _) in enumerate(chosen, start=1):
            score = hit.score if level == "methods" else 1 / rank
            hits.append(replace(hit, score=score, rank=rank, why=", ".join(filter(None, (hit.why, by)))))
        return hits


@dataclass(slots=True)
class ModelSelection:
    """Lets a model select, for one retrieval; asks again after one malformed reply only, so at most four calls."""

    model: Model
    prompts: Prompts
    top_k: int
    retry: bool = True

    async def __call__(self, level: str, query: str, candidates: Sequence[str]) -> list[int] | None:
        texts = [candidate[:CANDIDATE_CHARACTERS] for candidate in candidates]
        prompt = self.prompts.render("memory", query=query, level=level, candidates=texts, top_k=self.top_k)

        def parse(text: str) -> list[int]:
            try:
                return parse_selection(text, len(candidates), self.top_k)
            except ParseError:
                self.retry = False
                raise

        try:
            return await ask(self.model, [user(prompt)], parse, self.prompts, retry=self.retry, contract=_Selection)
        except ParseError as error:
            log.warning("the retriever selected no %s, the index's order is used: %s", level, error)
            return None


async def searched(library: ExpLib, query: str, top_k: int, hidden: Collection[str]) -> list[Hit]:
    """What the index finds; in a thread where vectors are asked for, so that an endpoint holds up nobody else."""
    if library.config.get("embeddings"):
        return await asyncio.to_thread(library.search, query, top_k, hidden=hidden)
    return library.search(query, top_k, hidden=hidden)


def hits_text(hits: Sequence[Hit], library: ExpLib, prompts: Prompts) -> str:
    """What an actor reads of these hits: methods in order, with the rules and trajectories that were hit.

    Whoever reads of an entry reads what went wrong there: rules to be avoided need no hit, and take the place of none.
    """
    cases = {hit.experience_id for hit in hits if hit.level == "trajectory"}
    rules = {(hit.experience_id, hit.rule) for hit in hits if hit.level == "rule"}
    found = [library.get(experience_id) for experience_id in dict.fromkeys(hit.experience_id for hit in hits)]
    entries = [
        {
            "zone": e.zone,
            "category": e.problem_category,
            "method": e.method,
            "rules": [
                rule if (e.id, number) in rules else replace(rule, examples=rule.examples[:1])
                for number, rule in enumerate(e.rules)
                if rule.kind == "avoid" or (e.id, number) in rules
            ],
            "trajectory": e.revised_trajectory if e.id in cases else "",
            "disputed": [library.get(other).method for other in e.contradicts if other in library],
        }
        for e in found
    ]
    return prompts.render("retrieved", entries=entries) if entries else ""


class _Selection(BaseModel):
    selected: list[int]


def parse_selection(text: str, candidates: int, top_k: int) -> list[int]:
    """Positions (from 0) of the selected candidates, at most `top_k`. Raises ParseError."""
    selected = parse_json_as(_Selection, text).selected
    if wrong := [n for n in selected if not 1 <= n <= candidates]:
        raise ParseError(f"selected are numbers of candidates, 1 to {candidates}, not {wrong}")
    return list(dict.fromkeys(n - 1 for n in selected))[:top_k]


def _method_text(experience: Experience) -> str:
    warning = "(from a failed attempt) " if experience.zone == "warning" else ""
    return f"{warning}{experience.problem_category}\n{experience.method}".strip()


def _rule_text(rule: Rule) -> str:
    return "\n".join([rule.labelled, *rule.examples[:1]])


def create_memory_retriever(
    model_name: str,
    client: RateLimitedLLMClient | None = None,
    *,
    task_type: str = "math",
    top_k: int = TOP_K,
    prompt_path: str | Path | None = None,
) -> MemoryRetriever:
    """A retriever by names alone; without `client` that of the environment's endpoint (SettingsError: none is set)."""
    client = client or RateLimitedLLMClient()
    prompts = Prompts(get_benchmark(task_type).prompts, {"memory": prompt_path})
    return MemoryRetriever(ChatModel(model_name, client, role="retriever"), prompts, top_k)


def create_memory_retrieval_tool(library: ExpLib, retriever: MemoryRetriever) -> "Tool":
    """The smolagents tool `memory_retrieval` over a library, for an agent of your own."""
    from flex.concurrency import LoopThread
    from flex.memory_tool import MemoryRetrievalTool

    loop = LoopThread()
    return MemoryRetrievalTool(lambda query: loop.call(retriever.retrieve(query, library)).text)
