"""What the paper's experiments share: a configuration, an endpoint, and steps that are runs of `train` and `evaluate`.

Every step has a folder below `out` and is skipped once it is finished, so that a second call goes on, or only draws.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from flex.benchmarks import get_benchmark
from flex.benchmarks.base import fingerprint
from flex.concurrency import Stop
from flex.endpoint.cost import Prices
from flex.errors import EndpointError, SettingsError
from flex.evaluation.folder import SettingRun, read_json, read_setting
from flex.experiments.config import APPRENTICE, Inheritance, OneModelRun
from flex.experiments.pictures import Page, Table
from flex.explib import ExpLib
from flex.files.atomic import write_atomically, write_json
from flex.files.paths import existing, here_or_shipped, shipped
from flex.files.runlog import FREE_KEYS, RunLog, run_config
from flex.report.canvas import PHONE, WIDE, Canvas
from flex.runs.config import EvalRun, TrainRun
from flex.runs.eval_run import EvalResult, answer_split
from flex.runs.fields import as_command
from flex.runs.setup import Bar, sampling
from flex.runs.train_run import TrainResult, train

R = TypeVar("R", TrainRun, EvalRun)

ROLES = ("verifier_model", "critic_model", "updater_model", "retriever_model")
LIMITS = ("max_rounds", "max_rollouts", "batch_size")
OF_APPRENTICES = {"max_rounds": 2, "max_rollouts": 1, "batch_size": 10}
"""As in `flex demo`: a mechanical learner gains nothing by trying again."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What an experiment came to; result.json, picture.svg and index.html are in its folder."""

    table: Table
    remarks: Sequence[str] = ()


class Stopped(Exception):
    """Why a step was stopped before its end; everything paid for is kept."""


class Steps(ExitStack):
    """Runs of `train` and `evaluate` under one folder and one budget; remembers the commands that say them."""

    def __init__(self, run: OneModelRun | Inheritance, *, say: Callable[[str], None], bar: Bar, stop: Stop) -> None:
        super().__init__()
        self.out = run.out
        self.say = say
        self.benchmark = get_benchmark(run.benchmark)
        self.commands: list[str] = []
        self._bar, self._stop = bar, stop
        self._tokens, self._usd = 0, 0.0
        self.of_apprentices = all(name.startswith(APPRENTICE) for name in run.models)
        mixed = not self.of_apprentices and any(name.startswith(APPRENTICE) for name in run.models)
        if mixed and run.endpoint.base_url is None:
            raise SettingsError(
                "the apprentice and other models are at different endpoints: give --base_url, or part them"
            )
        if self.of_apprentices:
            changes: dict[str, Any] = {name: getattr(run, name) or value for name, value in OF_APPRENTICES.items()}
            run = replace(run, **changes)
        self.run = run
        demo = shipped("data/retro_demo") if self.of_apprentices and run.benchmark == "retro" else None
        data = run.data_path or demo or self.benchmark.folder
        self.data = existing(here_or_shipped(data), "the data folder", self.benchmark.source)
        self.train_path, self.test_path = self._split("train"), self._split("test")
        self.train_tasks = self.benchmark.load(self.train_path)[: run.train_samples]
        self.test_tasks = self.benchmark.load(self.test_path)[: run.samples]

    def _split(self, name: str) -> Path:
        """Where a split lies in the data folder. Raises SettingsError when it does not."""
        if not self.data.is_dir():
            raise SettingsError(f"--data_path {self.data} is a file; give the folder of both splits")
        return existing(self.benchmark.split(self.data, name), f"the {name} split", self.benchmark.source)

    def start(self, experiment: str, models: Mapping[str, str], **settings: object) -> None:
        """Write down what makes this experiment this one. Raises RunError when the folder is of another one."""
        configured: dict[str, Any] = {"task_type": self.run.benchmark, "seed": self.run.seed, **settings}
        configured |= {name: getattr(self.run, name) for name in LIMITS}
        configured |= {"train": fingerprint(self.train_tasks), "test": fingerprint(self.test_tasks)}
        log = self.enter_context(RunLog(self.out))
        config = run_config(
            models=models, prompts={}, experiment=experiment, **configured, **sampling(self.run.endpoint)
        )
        log.start(config, free=FREE_KEYS | {"epochs", "models"})

    async def learn(self, folder: Path, model: str, **changes: Any) -> ExpLib:
        """The library that a training run in this folder has learned; `changes` are further fields of its `TrainRun`.

        Raises Stopped, and EndpointError when every task failed.
        """
        store = folder / "library.json"
        run = TrainRun(
            benchmark=self.run.benchmark,
            model=model,
            data_path=self.train_path,
            save_to=store,
            out=folder,
            samples=self.run.train_samples,
            seed=self.run.seed,
            endpoint=self.run.endpoint,
            **{name: value for name in LIMITS if (value := getattr(self.run, name)) is not None},
            **{name: value for name in ROLES if (value := getattr(self.run, name, None))},
            **changes,
        )
        self._remember("flex train", run)
        finished = RunLog(folder).events("finished")
        if not (store.exists() and any(event["explored"] > event["failed"] for event in finished)):
            result = await train(self._under_way(run), bar=self._bar, stop=self._stop.within())
            self._ended(result)
            progress = result.progress
            if progress.explored and progress.failed == progress.explored:
                raise EndpointError(f"every task failed; the first: {progress.errors[0]}")
        return ExpLib(store)

    async def answer(
        self, folder: Path, setting: str, model: str, library: Path | None = None, **changes: Any
    ) -> SettingRun:
        """What a setting scores on the test split; `changes` are further fields of its `EvalRun`. Raises Stopped."""
        place = folder / setting
        run = EvalRun(
            benchmark=self.run.benchmark,
            model=model,
            settings=(setting,),
            retriever_model=getattr(self.run, "retriever_model", None),
            data_path=self.test_path,
            train_path=self.train_path if self.train_path.is_file() else None,
            library=library,
            out=folder,
            samples=self.run.samples,
            repeats=self.run.repeats,
            max_concurrent=self.run.max_concurrent,
            endpoint=self.run.endpoint,
            **changes,
        )
        self._remember("flex eval", run)
        if not self._answered(place):
            stop = self._stop.within()
            result = await answer_split(self._under_way(run), {setting: place}, bar=self._bar, stop=stop)
            self._ended(result)
            if result.leakage:
                self.say(f"  {result.leakage}")
        answered = read_setting(place)
        if missing := answered.summary.unanswered + answered.summary.unforeseen:
            why = ", ".join(answered.summary.reasons)
            raise Stopped(f"{missing} of {answered.summary.answers} answers of {place} never came ({why})")
        # By id, so that the interval of a difference is the same in whatever order a split is written.
        return replace(answered, rows=tuple(sorted(answered.rows, key=lambda row: row.task_id)))

    def _answered(self, place: Path) -> bool:
        """Whether every answer of this call is there and none has to be asked for again."""
        summary = read_json(place / "summary.json")
        wanted = (len(self.test_tasks), self.run.repeats)
        return (summary.get("n"), summary.get("repeats")) == wanted and not (
            summary.get("failed") or summary.get("unanswered")
        )

    def _remember(self, command: str, run: TrainRun | EvalRun) -> None:
        """Write down the command that says this run, without pace, address and budget."""
        pace = ("base_url", "requests_per_minute", "tokens_per_minute", "max_connections", "max_retries", "timeout")
        self.commands.append(as_command(command, run, below=self.out, leave_out=pace))

    def _under_way(self, run: R) -> R:
        """The run with what it needs to be carried out: an endpoint, and what is left of the budget.

        An apprentice is started when the first step needs one. Raises Stopped when the budget is spent.
        """
        if self.run.endpoint.base_url is None and self.of_apprentices:
            from flex.apprentice import running_apprentice

            address = self.enter_context(running_apprentice())
            self.run = replace(self.run, endpoint=replace(self.run.endpoint, base_url=address))
        left: dict[str, Any] = {}
        for name, spent in (("max_tokens_total", self._tokens), ("max_usd", self._usd)):
            if (limit := getattr(self.run.budget, name)) is not None:
                if limit <= spent:
                    raise Stopped(f"--{name} {limit:,} is spent")
                left[name] = limit - spent
        budget = replace(self.run.budget, **left)
        return replace(run, endpoint=self.run.endpoint, budget=budget, telemetry=self.run.telemetry)

    def _ended(self, result: TrainResult | EvalResult) -> None:
        """Take what a step used off the budget. Raises Stopped when it was stopped before its end."""
        self._tokens += sum(used.tokens for used in result.usage_by_model.values())
        if self.run.budget.max_usd is not None:
            prices = Prices.load(self.run.budget.prices, self.run.endpoint.base_url)
            self._usd += prices.total(result.usage_by_model) or 0.0
        if result.stopped is not None:
            raise Stopped(result.stopped)

    def finish(
        self,
        result: Mapping[str, Any],
        picture: Callable[[Mapping[str, Any], int], Canvas],
        headline: str,
        remark: str,
        tables: Sequence[Table],
    ) -> Findings:
        """Write result.json, picture.svg and index.html; the first of the tables is what was measured."""
        wide, phone = (picture(result, width) for width in (WIDE, PHONE))
        kicker = f"{result['experiment'].capitalize()} · {self.run.benchmark} · {', '.join(self.run.models)}"
        page = Page(kicker, headline, [remark], tables, self.commands, self.of_apprentices)
        write_json(self.out / "result.json", result)
        wide.save(self.out / "picture.svg")
        write_atomically(self.out / "index.html", page.html(wide, phone).encode())
        return Findings(tables[0])
