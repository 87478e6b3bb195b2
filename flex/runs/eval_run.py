"""A whole evaluation, from an `EvalRun` to its folder, its comparisons and its report."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flex.concurrency import Stop
from flex.endpoint.client import current_client
from flex.endpoint.cost import by_model
from flex.errors import Setback, SettingsError, Unusable
from flex.evaluation.folder import read_json, read_setting
from flex.evaluation.leakage import Leak
from flex.evaluation.loop import EvalConfig
from flex.evaluation.loop import evaluate as answer_tasks
from flex.evaluation.reading import Retriever
from flex.evaluation.results import Result
from flex.evaluation.settings import Resources, Setting, get_setting, solver
from flex.evaluation.statistics import Difference
from flex.evaluation.summary import Summary, summarize, with_cost
from flex.evaluation.verdicts import primary_in
from flex.files.atomic import write_json
from flex.files.jsonlines import to_jsonable
from flex.files.runlog import FREE_KEYS, RunLog, make_private
from flex.memory_retriever import MemoryRetriever, index_order
from flex.rate_limiter import RateLimitedLLMClient
from flex.report import write_report
from flex.report.canvas import Canvas
from flex.report.forest import picture
from flex.runs.comparison import compare_settings, first_margin, first_named
from flex.runs.config import EvalRun
from flex.runs.plan import Plan, configuration, make_plan
from flex.runs.setup import Bar, Step, keeping_replies, make_client, make_model, no_bar, watch_budget
from flex.telemetry import start_telemetry
from flex.types import Usage


@dataclass(frozen=True, slots=True)
class EvalResult:
    """What came of an evaluation; everything is on disk as well."""

    run: EvalRun
    settings: Mapping[str, Summary]
    """By name; those that were finished."""
    comparisons: Sequence[Difference] = ()
    """Every two settings, paired by task; the primary comparison first."""
    leaks: Sequence[Leak] = ()
    """What the guard found in the library and the examples."""
    hidden: int = 0
    """How many experiences it hid, counted for each task; none with `allow_leakage`."""
    tasks: int = 0
    report: Path | None = None
    """One page on the run, to look at and to hand on."""
    usage: Mapping[str, Usage] = field(default_factory=dict)
    """What this call spent, by role."""
    usage_by_model: Mapping[str, Usage] = field(default_factory=dict)
    stopped: str | None = None
    """Why it ended early, None when it is finished; the same run goes on."""

    @property
    def primary(self) -> Difference | None:
        """The comparison that counts."""
        return primary_in(self.comparisons)

    @property
    def folder(self) -> Path:
        return self.run.folder

    def plot(self) -> Canvas:
        """The settings and their differences as a picture: a notebook shows it, `save(path)` writes an SVG file."""
        return picture(self.settings, self.comparisons)

    @property
    def leakage(self) -> str:
        """What the leakage guard found, in a sentence; empty when all is clean."""
        if not self.leaks:
            return ""
        tasks = len({leak.task_id for leak in self.leaks})
        done = "shown all the same" if self.run.allow_leakage else "hidden from them"
        return (
            f"leakage: {tasks} of {self.tasks} tasks have a near duplicate or their answer in what was learned "
            f"from; {self.hidden} experiences are {done} (`flex audit` lists them)"
        )

    @property
    def failed(self) -> bool:
        """Whether answers never came, all of a setting failed, or an error came up that nobody foresaw."""
        return any(s.unanswered or s.unforeseen or s.failed == s.answers for s in self.settings.values())


async def evaluate(run: EvalRun, *, bar: Bar = no_bar, stop: Stop | None = None) -> EvalResult:
    """Answer a test split in every setting, compare them, write summary.json and report.html; resumes.

    When no task can be answered any more (the account is dry, the model gone), what there is is kept and returned with
    why it `stopped`. Raises Unusable when it was so from the beginning, SettingsError for what only a person can mend,
    RunError for a folder of another run.
    """
    folders = {name: run.folder / name for name in run.settings}
    result = await answer_split(with_primary(run, folders.values()), folders, bar=bar, stop=stop)
    if result.stopped is None:
        settings = {name: read_setting(folder) for name, folder in folders.items()}
        comparisons = compare_settings(settings, run.primary, run.margin)
        result = replace(result, comparisons=comparisons)
        write_json(run.folder / "summary.json", content_of(result))
        result = replace(result, report=write_report(run.folder))
    return result


def with_primary(run: EvalRun, folders: Iterable[Path]) -> EvalRun:
    """The run with the comparison that counts and its margin, which its settings' config.json will name."""
    configs = [read_json(folder / "config.json") for folder in folders]
    primary = run.primary or first_named(configs, run.settings)
    return replace(run, primary=primary, margin=run.margin or first_margin(configs))


async def answer_split(
    run: EvalRun, folders: Mapping[str, Path], *, bar: Bar = no_bar, stop: Stop | None = None
) -> EvalResult:
    """The settings, one after the other, each into its folder; nothing is compared. Raises as `evaluate` does."""
    if not folders:
        raise SettingsError("--settings names no setting")
    places = {name: (get_setting(name), folder) for name, folder in folders.items()}
    return await answer_all(run, places, bar=bar, stop=stop)


async def answer_all(
    run: EvalRun, places: Mapping[str, tuple[Setting, Path]], *, bar: Bar = no_bar, stop: Stop | None = None
) -> EvalResult:
    """The same, each setting under a name of its own, so that one may come twice."""
    plan, stop = make_plan(run, [setting for setting, _ in places.values()]), stop or Stop()
    summaries: dict[str, Summary] = {}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(make_client(run))
        watch_budget(stop, run.budget, plan.prices, client, plan.models)
        if not run.replay:
            await client.check()
        make_private(run.folder)
        for setting, folder in places.values():
            log = stack.enter_context(RunLog(folder))
            log.start(configuration(plan, setting), free=FREE_KEYS | {"repeats", "data", "primary", "margin"})
        with start_telemetry(run.telemetry), make_retriever(plan, client) as retriever:
            resources = make_resources(plan, client, retriever)
            with bar("", len(places) * len(plan.tasks) * run.repeats, "answer") as step:
                for name, (setting, folder) in places.items():
                    try:
                        with keeping_replies(client, run, folder):
                            summary = await answer_setting(plan, resources, setting, folder, step, stop, name)
                    except (Unusable, OSError) as error:
                        why = Setback.of(error).ends_run
                        if why is None or not any((folder / "results.jsonl").exists() for _, folder in places.values()):
                            raise
                        stop.request(str(why))
                        break
                    if summary is None:
                        break
                    summaries[name] = summary
    return EvalResult(
        run,
        summaries,
        leaks=plan.leaks,
        hidden=sum(len(ids) for ids in plan.hidden.values()),
        tasks=len(plan.tasks),
        usage=client.usage,
        usage_by_model=client.usage_by_model,
        stopped=None if len(summaries) == len(places) else stop.reason,
    )


async def answer_setting(
    plan: Plan, resources: Resources, setting: Setting, folder: Path, step: Step, stop: Stop, title: str
) -> Summary | None:
    """Answer the split in one setting and write its summary; None, and no summary, when it was stopped before."""
    run = plan.run
    config = EvalConfig(
        setting=setting,
        repeats=run.repeats,
        concurrency=run.max_concurrent,
        batch_size=run.batch_size or run.max_concurrent,
        batch_pause=run.batch_pause,
        hidden=plan.hidden if setting.library in ("own", "shuffled") else {},
    )
    started, counts, answers = time.monotonic(), Counter[str](), len(plan.tasks) * run.repeats
    with solver(setting, resources) as solve:

        def show(row: Result) -> None:
            counts.update(correct=row.correct, failed=row.error is not None, tokens=row.usage.tokens)
            step({"setting": title, **counts})

        rows = await answer_tasks(plan.tasks, plan.benchmark, solve, config, folder, show, stop)
    if len(rows) < answers:
        return None
    summary = summarize(rows, plan.benchmark, setting=setting.name, model=run.model)
    usd = plan.prices.total(by_model(summary.usage_by_role, plan.models))
    summary = with_cost(summary, usd, time.monotonic() - started)
    client = current_client()
    before = read_json(folder / "summary.json").get("conditions") or ()
    summary = replace(summary, conditions=tuple(dict.fromkeys([*map(str, before), *(client.notes if client else ())])))
    write_json(folder / "summary.json", summary.to_json())
    return summary


def make_resources(plan: Plan, client: RateLimitedLLMClient, retriever: Retriever) -> Resources:
    run = plan.run
    return Resources(
        model=make_model(run.endpoint, client, run.model, "actor"),
        benchmark=plan.benchmark,
        prompts=plan.prompts,
        retriever=retriever,
        library=plan.library,
        hidden=plan.hidden,
        train_tasks=plan.train_tasks,
        hidden_examples=plan.hidden_examples,
        icl_k=plan.examples_shown if plan.train_tasks else 0,
        icl_selection=run.icl_selection,
        executor=run.executor,
        concurrency=run.max_concurrent,
    )


@contextmanager
def make_retriever(plan: Plan, client: RateLimitedLLMClient) -> Iterator[Retriever]:
    model = make_model(plan.run.endpoint, client, plan.run.models["retriever"], "retriever")
    if plan.retrieval != "agentic":
        yield MemoryRetriever(model, plan.prompts, select=index_order if plan.retrieval == "flat" else None)
        return

    from flex.agents.agentic_retriever import AgenticRetriever  # smolagents takes a second to import
    from flex.agents.pool import AgentPool

    with AgentPool(model, plan.prompts, executor="monty", concurrency=plan.run.max_concurrent) as agents:
        yield AgenticRetriever(agents, plan.prompts)


def content_of(result: EvalResult) -> dict[str, Any]:
    """The content of the run's summary.json."""
    costs = {name: to_jsonable(summary.cost) for name, summary in result.settings.items()}
    known = [summary.cost.usd for summary in result.settings.values()]
    usd = None if None in known else sum(amount for amount in known if amount is not None)
    usage = sum((summary.usage for summary in result.settings.values()), Usage())
    return {
        "benchmark": result.run.benchmark,
        "model": result.run.model,
        "settings": {name: summary.to_json() for name, summary in result.settings.items()},
        "comparisons": [difference.to_json() for difference in result.comparisons],
        "cost": {"settings": costs, "usd": usd, "usage": to_jsonable(usage)},
    }
