"""From flags to the numbers of a setting; what `flex eval` and the three test scripts share."""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.cli.options import (
    Parser,
    from_zero,
    listening,
    make_client,
    make_model,
    make_stop,
    positive,
)
from flex.runs.plan import Plan, configuration, examples_shown, make_plan, model_names

if TYPE_CHECKING:
    from flex.concurrency import Stop
    from flex.evaluation.loop import Result
    from flex.evaluation.reading import Retriever
    from flex.evaluation.settings import Kit, Setting
    from flex.rate_limiter import RateLimitedLLMClient

EXECUTORS = ("monty", "local", "docker")
RETRIEVALS = ("hierarchical", "flat", "agentic")
SELECTIONS = ("first", "random", "similar")


def add_measuring(parser: Parser) -> None:
    """Flags of every command that answers a split."""
    add = parser.add_argument
    add("--samples", "--max_samples", dest="samples", type=positive, default=None, help="only the first so many tasks")
    add("--train_path", type=Path, default=None, help="the train split; default: train.jsonl beside the test split")
    add("--batch_pause", type=from_zero, default=0.0, help="seconds to wait between batches")
    add("--retriever_model", default=None, help="default: the actor's")
    add("--retrieval", choices=RETRIEVALS, default=None, help="how the library is read; default: the benchmark's")
    add("--icl_k", type=positive, default=None, help="training examples in the prompt of icl; default: the benchmark's")
    add("--icl_selection", choices=SELECTIONS, default="first", help="which ones")
    add("--executor", choices=EXECUTORS, default="monty", help="where the agent's code runs")
    add("--actor_prompt", type=Path, default=None, help="a file of yours instead of ours")
    add("--memory_prompt", type=Path, default=None, help="a file of yours instead of ours")
    add("--allow_leakage", action="store_true", help="show experiences to a task even if they give its answer away")


@contextmanager
def make_kit(plan: Plan, client: "RateLimitedLLMClient") -> "Iterator[Kit]":
    """What the settings are made of, with the retriever that --retrieval names."""
    from flex.evaluation.settings import Kit

    options = plan.options
    with make_retriever(plan, client) as retriever:
        yield Kit(
            model=make_model(options, client, options.model, "actor"),
            benchmark=plan.benchmark,
            prompts=plan.prompts,
            retriever=retriever,
            library=plan.library,
            hidden=plan.hidden,
            train_tasks=plan.train_tasks,
            hidden_examples=plan.hidden_examples,
            icl_k=examples_shown(options, plan.benchmark, plan.train_tasks) if plan.train_tasks else 0,
            icl_selection=options.icl_selection,
            executor=options.executor,
            concurrency=options.max_concurrent,
        )


@contextmanager
def make_retriever(plan: Plan, client: "RateLimitedLLMClient") -> "Iterator[Retriever]":
    from flex.memory_retriever import FlatRetriever, MemoryRetriever

    options = plan.options
    model = make_model(options, client, model_names(options)["retriever"], "retriever")
    if options.retrieval != "agentic":
        kind = FlatRetriever if options.retrieval == "flat" else MemoryRetriever
        yield kind(model, plan.prompts)
        return

    from flex.agents.agentic_retriever import AgenticRetriever
    from flex.agents.pool import AgentPool

    with AgentPool(model, plan.prompts, executor="monty", concurrency=options.max_concurrent) as agents:
        yield AgenticRetriever(agents, plan.prompts)


async def run_settings(
    options: argparse.Namespace, settings: "Sequence[Setting]", folder_of: "Callable[[Setting], Path]"
) -> tuple[Plan, dict[str, dict[str, Any]], str | None]:
    """One setting after the other: the plan, the summaries of those that were finished, and why it was stopped."""
    from flex.files.runlog import FREE_KEYS, RunLog
    from flex.telemetry import start_telemetry

    plan = make_plan(options, settings)
    summaries: dict[str, dict[str, Any]] = {}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(make_client(options))
        stop = make_stop(options, client, models_of(plan))
        await client.check()
        for setting in settings:
            run = stack.enter_context(RunLog(folder_of(setting)))
            run.start(configuration(plan, setting), free=FREE_KEYS | {"repeats", "data"})
        with start_telemetry(options.telemetry), make_kit(plan, client) as kit, listening(stop):
            for setting in settings:
                if (summary := await measure(plan, kit, setting, folder_of(setting), stop)) is not None:
                    summaries[setting.name] = summary
    return plan, summaries, None if len(summaries) == len(settings) else stop.reason


async def measure(plan: Plan, kit: "Kit", setting: "Setting", folder: Path, stop: "Stop") -> dict[str, Any] | None:
    """Answer the split in one setting and write its summary; None, and no summary, when it was stopped before."""
    from flex.evaluation.loop import EvalConfig, evaluate, summarize, write_summary
    from flex.evaluation.settings import solver

    options = plan.options
    config = EvalConfig(
        setting=setting,
        repeats=options.repeats,
        concurrency=options.max_concurrent,
        batch_size=options.batch_size or options.max_concurrent,
        batch_pause=options.batch_pause,
        hidden=plan.hidden if setting.library in ("own", "shuffled") else {},
    )
    started = time.monotonic()
    with solver(setting, kit) as solve, progress(setting.name, len(plan.tasks) * config.repeats) as show:
        results = await evaluate(plan.tasks, plan.benchmark, solve, config, folder, show, stop)
    if len(results) < len(plan.tasks) * config.repeats:
        return None
    summary = summarize(results, plan.benchmark, setting, options.model)
    summary["wall_seconds"] = round(time.monotonic() - started, 1)
    summary["cost"] = cost_of(plan, summary)
    write_summary(folder, summary)
    return summary


def models_of(plan: Plan) -> dict[str, str]:
    """The names of the models by role, that of the library's vectors too."""
    from flex.endpoint.embeddings import embedding_models

    return model_names(plan.options) | embedding_models(plan.library.config if plan.library else {})


def cost_of(plan: Plan, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Money of a setting, by the models of its roles; None where a price is unknown."""
    from flex.endpoint.cost import by_model
    from flex.files.runlog import decode
    from flex.types import Usage

    by_role = {role: decode(Usage, usage) for role, usage in summary["usage_by_role"].items()}
    usd = plan.prices.total(by_model(by_role, models_of(plan)))
    correct = summary["correct"]
    return {
        "usd": usd,
        "usd_per_correct": usd / correct if usd is not None and correct else None,
        "tokens_per_correct": sum(u.tokens for u in by_role.values()) / correct if correct else None,
    }


@contextmanager
def progress(name: str, answers: int) -> "Iterator[Callable[[Result], None]]":
    """A bar over all answers, with how many were right so far."""
    from tqdm import tqdm

    counts = Counter[str]()
    with tqdm(total=answers, desc=name, unit="answer", disable=None) as bar:

        def show(result: "Result") -> None:
            counts.update(correct=result.correct, failed=result.error is not None, tokens=result.usage.tokens)
            bar.set_postfix(counts, refresh=False)
            bar.update(1)

        yield show


def closing_lines(summary: Mapping[str, Any]) -> list[str]:
    """The result as a person reads it; the last line says whether any answer failed."""
    usage = summary["usage"]
    rows = summary["n"] * summary["repeats"]
    lines = [
        headline(summary, rows),
        *(f"{name}: {100 * value:.1f}" for name, value in summary["aggregates"].items()),
        *(f"{name}: {100 * value:.1f} %" for name, value in summary.items() if name.startswith(("pass@", "top-"))),
        f"calls {usage['calls']}, retries {usage['retries']}, "
        f"tokens {usage['prompt_tokens']} in + {usage['completion_tokens']} out",
    ]
    if summary["failed"]:
        lines.append(f"{summary['failed']} of {rows} answers failed and count as wrong; the same command retries them")
    return lines


def headline(summary: Mapping[str, Any], rows: int) -> str:
    """The number that counts, with its interval."""
    interval = f"95 % interval {100 * summary['low']:.1f} to {100 * summary['high']:.1f}, n = {summary['n']}"
    if summary["headline"] == "mean_score":
        return f"{summary['setting']}: mean score {100 * summary['mean_score']:.1f} of 100 ({interval})"
    right = f"{summary['correct']} of {rows} correct"
    return f"{summary['setting']}: {right}, accuracy {100 * summary['accuracy']:.1f} % ({interval})"


def leakage_lines(plan: Plan) -> list[str]:
    """What the guard found, in a line; none when all is clean."""
    if not plan.leaks:
        return []
    tasks = len({leak.task_id for leak in plan.leaks})
    done = "shown all the same" if plan.options.allow_leakage else "hidden from them"
    hidden = sum(len(ids) for ids in plan.hidden.values())
    return [f"leakage: {tasks} of {len(plan.tasks)} tasks have a near duplicate or their answer in what was learned "
            f"from; {hidden} experiences are {done} (`flex audit` lists them)"]  # fmt: skip
