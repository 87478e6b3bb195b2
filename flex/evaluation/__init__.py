"""Answering a test split in several settings, and what may be said of the difference."""

from typing import Any

__all__ = ["evaluate", "evaluate_retro_results_fuzzy"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'flex.evaluation' has no attribute '{name}'")
    from flex.evaluation import loop, summary

    return getattr(loop if name == "evaluate" else summary, name)
