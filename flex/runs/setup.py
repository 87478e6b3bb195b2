"""What a run is made of: the client, the models in their roles, the team, and what watches the budget."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from flex.actor import Actor
from flex.benchmarks import Benchmark
from flex.concurrency import Stop
from flex.critic import Critic
from flex.endpoint.cost import Budget as Limit
from flex.endpoint.cost import Prices
from flex.endpoint.kept_replies import FILE, KeptReplies
from flex.memory_retriever import MemoryRetriever, index_order
from flex.prompt import Prompts
from flex.rate_limiter import ChatModel, RateLimitedLLMClient
from flex.reject_sampling import Team
from flex.runs.config import Budget, EndpointConfig, EvalRun, Run, TrainRun
from flex.types import Model
from flex.updater import Updater
from flex.verifier import Verifier

Counts = Mapping[str, int | str]
Step = Callable[[Counts], None]
Bar = Callable[[str, int, str], AbstractContextManager[Step]]
"""Opens a progress bar: (title, number of steps, unit of a step); what it yields is called with counts at each step."""


def no_bar(title: str, steps: int, unit: str) -> AbstractContextManager[Step]:
    return nullcontext(lambda counts: None)


def make_client(run: Run) -> RateLimitedLLMClient:
    """The one client of a run; one that is replayed needs no address. Raises SettingsError."""
    endpoint = run.endpoint
    return RateLimitedLLMClient(
        base_url=run.base_url,
        requests_per_minute=endpoint.requests_per_minute,
        tokens_per_minute=endpoint.tokens_per_minute,
        max_connections=endpoint.max_connections,
        max_retries=endpoint.max_retries,
        timeout=endpoint.timeout,
        structured=endpoint.response_format == "auto",
    )


@contextmanager
def keeping_replies(client: RateLimitedLLMClient, run: TrainRun | EvalRun, folder: Path) -> Iterator[None]:
    """Within it, every reply is kept in the folder of the run, or of a part of it, and none is asked for twice.

    With `run.replay`, the replies of that run's part are all there is. Raises RunError.
    """
    if run.replay:
        kept = KeptReplies(run.replay / os.path.relpath(folder, run.folder) / FILE, replay=True)
    elif run.cache:
        kept = KeptReplies(folder / FILE)
    else:
        yield
        return
    with kept:
        client.kept = kept
        try:
            yield
        finally:
            client.kept = None


def make_model(endpoint: EndpointConfig, client: RateLimitedLLMClient, name: str, role: str) -> ChatModel:
    """The model of a role; the temperature is the actor's only."""
    return ChatModel(
        name,
        client,
        role=role,
        temperature=endpoint.temperature if role == "actor" else None,
        max_tokens=endpoint.max_tokens,
        reasoning_effort=endpoint.reasoning_effort,
        extra_body=endpoint.extra_body,
    )


def watch_budget(
    stop: Stop, budget: Budget, prices: Prices, client: RateLimitedLLMClient, models: Mapping[str, str]
) -> None:
    """Let `stop` ask for an end once the budget is spent, and the client hear it; `models` are their names by role.

    Raises SettingsError for a budget in money where a price is unknown.
    """
    limit = Limit(budget.max_tokens_total, budget.max_usd, prices)
    limit.check(set(models.values()))
    stop.watch(lambda: limit.spent(client.usage_by_model))
    stop.when_interrupted(client.end)


def build_team(run: TrainRun, benchmark: Benchmark, prompts: Prompts, models: Mapping[str, Model]) -> Team:
    select = index_order if (run.retrieval or benchmark.retrieval) == "flat" else None
    return Team(
        Actor(models["actor"], benchmark, prompts),
        Verifier(models["verifier"], benchmark, prompts, run.acceptance),
        Critic(models["critic"], prompts),
        Updater(models["updater"], prompts),
        MemoryRetriever(models["retriever"], prompts, select=select),
    )


def sampling(endpoint: EndpointConfig) -> dict[str, Any]:
    """What of the endpoint's settings decides what models answer, as it stands in a run's config.json.

    Of the extra body a sha256: some gateways are given keys in it.
    """
    names = ("temperature", "max_tokens", "reasoning_effort")
    body = endpoint.extra_body
    digest = None if body is None else hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return {**{name: getattr(endpoint, name) for name in names}, "extra_body": digest}
