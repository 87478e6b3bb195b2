"""FLEX, Forward Learning from Experience (arXiv 2511.06449): agents that learn without gradients.

Importing this package is cheap and does nothing; a name is loaded when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flex.actor import Actor as Actor
    from flex.agents.agent_actor import AgentActor as AgentActor
    from flex.benchmarks import get_benchmark as get_benchmark
    from flex.critic import Critic as Critic
    from flex.evaluation.loop import evaluate as evaluate
    from flex.evaluation.loop import evaluate_retro_results_fuzzy as evaluate_retro_results_fuzzy
    from flex.explib import ExpLib as ExpLib
    from flex.memory_retriever import MemoryRetriever as MemoryRetriever
    from flex.memory_retriever import create_memory_retrieval_tool as create_memory_retrieval_tool
    from flex.memory_retriever import create_memory_retriever as create_memory_retriever
    from flex.prompt import Prompts as Prompts
    from flex.rate_limiter import ChatModel as ChatModel
    from flex.rate_limiter import RateLimitedLLMClient as RateLimitedLLMClient
    from flex.reject_sampling import process_task as process_task
    from flex.reject_sampling import train as train
    from flex.updater import Updater as Updater
    from flex.verifier import Verifier as Verifier

_HOMES = {
    "Actor": "actor",
    "AgentActor": "agents.agent_actor",
    "ChatModel": "rate_limiter",
    "Critic": "critic",
    "ExpLib": "explib",
    "MemoryRetriever": "memory_retriever",
    "Prompts": "prompt",
    "RateLimitedLLMClient": "rate_limiter",
    "Updater": "updater",
    "Verifier": "verifier",
    "create_memory_retrieval_tool": "memory_retriever",
    "create_memory_retriever": "memory_retriever",
    "evaluate": "evaluation",
    "evaluate_retro_results_fuzzy": "evaluation",
    "get_benchmark": "benchmarks",
    "process_task": "reject_sampling",
    "train": "reject_sampling",
}

__all__ = [
    "Actor",
    "AgentActor",
    "ChatModel",
    "Critic",
    "ExpLib",
    "MemoryRetriever",
    "Prompts",
    "RateLimitedLLMClient",
    "Updater",
    "Verifier",
    "create_memory_retrieval_tool",
    "create_memory_retriever",
    "evaluate",
    "evaluate_retro_results_fuzzy",
    "get_benchmark",
    "process_task",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'flex' has no attribute '{name}'")
    return getattr(importlib.import_module(f"flex.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
