"""What a run is made of: the client, the models in their roles, the team, and what watches the budget."""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from flex.runs.config import Budget, EndpointConfig, TrainRun

if TYPE_CHECKING:
    from flex.benchmarks import Benchmark
    from flex.concurrency import Stop
    from flex.endpoint.cost import Prices
    from flex.prompt import Prompts
    from flex.rate_limiter import ChatModel, RateLimitedLLMClient
    from flex.reject_sampling import Team
    from flex.types import Model

Counts = Mapping[str, int]
Bar = Callable[[str, int, str], AbstractContextManager[Callable[[Counts], None]]]
"""Opens a progress bar: (title, number of steps, unit of a step); what it yields is called with counts at each step."""


def no_bar(title: str, steps: int, unit: str) -> AbstractContextManager[Callable[[Counts], None]]:
    """Shows no progress."""
    return nullcontext(lambda counts: None)


def make_client(endpoint: EndpointConfig) -> "RateLimitedLLMClient":
    """The one client of a run. Raises SettingsError."""
    from flex.rate_limiter import RateLimitedLLMClient

    return RateLimitedLLMClient(
        base_url=endpoint.base_url,
        requests_per_minute=endpoint.requests_per_minute,
        tokens_per_minute=endpoint.tokens_per_minute,
        max_connections=endpoint.max_connections,
        max_retries=endpoint.max_retries,
        timeout=endpoint.timeout,
    )


def make_model(endpoint: EndpointConfig, client: "RateLimitedLLMClient", name: str, role: str) -> "ChatModel":
    """The model of a role; the temperature is the actor's only."""
    from flex.rate_limiter import ChatModel

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
    stop: "Stop", budget: Budget, prices: "Prices", client: "RateLimitedLLMClient", models: Mapping[str, str]
) -> None:
    """Let `stop` ask for an end once the budget is spent; `models` are their names by role.

    Raises SettingsError for a budget in money where a price is unknown.
    """
    from flex.endpoint.cost import Budget as Limit

    limit = Limit(budget.max_tokens_total, budget.max_usd, prices)
    limit.check(set(models.values()))
    stop.watch(lambda: limit.spent(client.usage_by_model))


def build_team(run: TrainRun, benchmark: "Benchmark", prompts: "Prompts", models: "Mapping[str, Model]") -> "Team":
    """The five roles of a training run."""
    from flex.actor import Actor
    from flex.critic import Critic
    from flex.memory_retriever import MemoryRetriever, index_order
    from flex.reject_sampling import Team
    from flex.updater import Updater
    from flex.verifier import Verifier

    select = index_order if (run.retrieval or benchmark.retrieval) == "flat" else None
    return Team(
        Actor(models["actor"], benchmark, prompts),
        Verifier(models["verifier"], benchmark, prompts, run.acceptance),
        Critic(models["critic"], prompts),
        Updater(models["updater"], prompts),
        MemoryRetriever(models["retriever"], prompts, select=select),
    )


def sampling(endpoint: EndpointConfig) -> dict[str, Any]:
    """What of the endpoint's settings decides what models answer, as it stands in a run's config.json."""
    names = ("temperature", "max_tokens", "reasoning_effort")
    return {**{name: getattr(endpoint, name) for name in names}, "extra_body": body_sha256(endpoint.extra_body)}


def body_sha256(extra_body: Mapping[str, Any] | None) -> str | None:
    """A sha256 of the extra body for the run's configuration: some gateways are given keys in it."""
    if extra_body is None:
        return None
    return hashlib.sha256(json.dumps(extra_body, sort_keys=True).encode()).hexdigest()
