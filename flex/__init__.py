"""FLEX, Forward Learning from Experience (arXiv 2511.06449): agents that learn without gradients.

Importing this package is cheap and does nothing; a name is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flex import runs as runs
    from flex.actor import Actor as Actor
    from flex.agents.agent_actor import AgentActor as AgentActor
    from flex.benchmarks import get_benchmark as get_benchmark
    from flex.critic import Critic as Critic
    from flex.evaluation import evaluate_retro_results_fuzzy as evaluate_retro_results_fuzzy
    from flex.explib import ExpLib as ExpLib
    from flex.memory_retriever import MemoryRetriever as MemoryRetriever
    from flex.memory_retriever import create_memory_retrieval_tool as create_memory_retrieval_tool
    from flex.memory_retriever import create_memory_retriever as create_memory_retriever
    from flex.prompt import Prompts as Prompts
    from flex.rate_limiter import ChatModel as ChatModel
    from flex.rate_limiter import RateLimitedLLMClient as RateLimitedLLMClient
    from flex.reject_sampling import process_task as process_task
    from flex.runs import Budget as Budget
    from flex.runs import EndpointConfig as EndpointConfig
    from flex.runs import EvalRun as EvalRun
    from flex.runs import TrainRun as TrainRun
    from flex.runs import aa as aa
    from flex.runs import compare as compare
    from flex.runs import evaluate as evaluate
    from flex.runs import train as train
    from flex.updater import Updater as Updater
    from flex.verifier import Verifier as Verifier

_NAMES = {
    "actor": ("Actor",),
    "agents.agent_actor": ("AgentActor",),
    "benchmarks": ("get_benchmark",),
    "critic": ("Critic",),
    "evaluation": ("evaluate_retro_results_fuzzy",),
    "explib": ("ExpLib",),
    "memory_retriever": ("MemoryRetriever", "create_memory_retrieval_tool", "create_memory_retriever"),
    "prompt": ("Prompts",),
    "rate_limiter": ("ChatModel", "RateLimitedLLMClient"),
    "reject_sampling": ("process_task",),
    "runs": ("Budget", "EndpointConfig", "EvalRun", "TrainRun", "aa", "compare", "evaluate", "train"),
    "updater": ("Updater",),
    "verifier": ("Verifier",),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}
__all__ = ["runs", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name == "runs":
        return importlib.import_module("flex.runs")
    if name not in _HOMES:
        raise AttributeError(f"module 'flex' has no attribute '{name}'")
    return getattr(importlib.import_module(f"flex.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
