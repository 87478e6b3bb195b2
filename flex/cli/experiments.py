"""What the paper's experiments share: flags, an endpoint, and steps that are runs of `flex train` and `flex eval`.

Every step has a folder below --out and is skipped once it is finished, so that a second call goes on, or only draws.
"""

import argparse
import io
import shlex
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.cli import eval as evaluation
from flex.cli import train
from flex.cli.compare import read_json
from flex.cli.measure import leakage_lines, run_settings
from flex.cli.options import (
    Parser,
    add_budget,
    add_endpoint,
    body_sha256,
    existing,
    natural,
    positive,
    run_command,
    stopped,
)
from flex.errors import SettingsError
from flex.experiments.measured import Measured
from flex.files.paths import here_or_shipped, shipped

if TYPE_CHECKING:
    from flex.experiments.pictures import Table
    from flex.explib import ExpLib

APPRENTICE = "apprentice"
"""Models whose names begin so are served by the experiment itself unless --base_url is given."""
RESUME = "The same command goes on from here."
SAMPLING = ("temperature", "max_tokens", "reasoning_effort")
PACING = ("requests_per_minute", "tokens_per_minute", "max_connections", "max_retries", "timeout")
ROLES = ("verifier_model", "critic_model", "updater_model", "retriever_model")
DEMO_LIMITS = {"max_rounds": 2, "max_rollouts": 1, "batch_size": 10}
"""As in `flex demo`: a mechanical learner gains nothing by trying again."""


class Ended(Exception):
    """A step did not come to its end; the exit code, what there was to say has been said."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def add_experiment(parser: Parser, out: str) -> None:
    """Flags of every experiment; `out` is the default of --out."""
    from flex.benchmarks import benchmark_names

    add = parser.add_argument
    add("--benchmark", "--task_type", dest="task_type", default="retro", choices=benchmark_names(), help="which one")
    add("--data_path", type=Path, default=None, help="the folder of train.jsonl and test.jsonl; default: the demo data "
        "for the apprentice, else the benchmark's folder")  # fmt: skip
    add("--out", type=Path, default=Path(out), help="folder of the experiment; name an old one to go on with it")
    add("--max_samples", type=positive, default=None, help="learn from the first so many tasks only")
    add("--samples", type=positive, default=None, help="answer the first so many test tasks only")
    add("--repeats", type=positive, default=1, help="independent answers per test task")
    add("--max_rounds", type=positive, default=None, help="attempts within a rollout; default: of `flex train`, 2 for "
        "the apprentice")  # fmt: skip
    add("--max_rollouts", type=positive, default=None, help="rollouts of a task that is not solved; default: of "
        "`flex train`, 1 for the apprentice")  # fmt: skip
    add("--batch_size", type=positive, default=None, help="training tasks explored at once; default: of `flex train`, "
        "10 for the apprentice")  # fmt: skip
    add("--seed", type=natural, default=None, help="shuffle the training tasks with it; unset: the file's order")
    add("--max_concurrent", type=positive, default=10, help="test tasks answered at once")
    add_budget(parser)
    add_endpoint(parser)


def add_model(parser: Parser) -> None:
    """Flags of an experiment with one actor; the other roles may be other models."""
    parser.add_argument(
        "--model", default=APPRENTICE, help="the model that learns and answers; the apprentice is no LLM"
    )
    for role in ROLES:
        parser.add_argument(f"--{role}", default=None, help="default: as in `flex train`")


def run_experiment(options: argparse.Namespace, work: "Callable[[Steps], Coroutine[Any, Any, int]]") -> int:
    """Run an experiment to its exit code."""

    async def whole() -> int:
        with Steps(options) as steps:
            try:
                return await work(steps)
            except Ended as ended:
                return ended.code

    return run_command(whole, verbose=options.verbose, resume=RESUME)


class Steps:
    """Runs of `flex train` and `flex eval` under one folder and one budget; remembers the commands."""

    def __init__(self, options: argparse.Namespace) -> None:
        from flex.benchmarks import get_benchmark

        self.options = options
        self.out: Path = options.out
        self.benchmark = get_benchmark(options.task_type)
        self.commands: list[str] = []
        self._closing = ExitStack()
        self._base_url: str | None = options.base_url
        self._tokens, self._usd = 0, 0.0
        names = [options.model] if "model" in options else list(options.models)
        self.of_apprentices = all(name.startswith(APPRENTICE) for name in names)
        mixed = not self.of_apprentices and any(name.startswith(APPRENTICE) for name in names)
        if mixed and self._base_url is None:
            raise SettingsError(
                "the apprentice and other models are at different endpoints: give --base_url, or part them"
            )
        if self.of_apprentices:
            for name, value in DEMO_LIMITS.items():
                setattr(options, name, getattr(options, name) or value)
        demo = shipped("data/retro_demo") if self.of_apprentices and options.task_type == "retro" else None
        self.data = existing(options.data_path or demo or here_or_shipped(self.benchmark.folder), "the data folder")
        self.train_path, self.test_path = self._split("train"), self._split("test")
        self.train_tasks = self.benchmark.load(self.train_path)[: options.max_samples]
        self.test_tasks = self.benchmark.load(self.test_path)[: options.samples]

    def _split(self, name: str) -> Path:
        """Where a split lies in the data folder. Raises SettingsError when it does not."""
        if not self.data.is_dir():
            raise SettingsError(f"--data_path {self.data} is a file; give the folder of both splits")
        return existing(self.benchmark.split(self.data, name), f"the {name} split")

    def __enter__(self) -> "Steps":
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.close()

    def start(self, experiment: str, models: Mapping[str, str], **settings: object) -> None:
        """Write down what makes this experiment this one. Raises RunError when the folder is of another one."""
        from flex.files.runlog import FREE_KEYS, RunLog, run_config

        options, configured = self.options, dict[str, Any](settings)
        names = ("task_type", "seed", "max_rounds", "max_rollouts", "batch_size", *SAMPLING)
        configured |= {name: getattr(options, name) for name in names}
        configured |= {"train": train.fingerprint(self.train_tasks), "test": train.fingerprint(self.test_tasks)}
        configured["extra_body"] = body_sha256(options.extra_body)
        log = self._closing.enter_context(RunLog(self.out))
        config = run_config(models=models, prompts={}, experiment=experiment, **configured)
        log.start(config, free=FREE_KEYS | {"epochs", "models"})

    def base_url(self) -> list[str]:
        """The flag for the endpoint; an apprentice is started when a step needs one."""
        if self._base_url is None and self.of_apprentices:
            from flex.apprentice import running_apprentice

            self._base_url = self._closing.enter_context(running_apprentice())
        return ["--base_url", self._base_url] if self._base_url else []

    async def learn(self, folder: Path, model: str, *words: str) -> "ExpLib":
        """The library that a training run in this folder has learned; `words` are further flags of `flex train`."""
        from flex.explib import ExpLib

        options, store = self.options, folder / "library.json"
        argv = ["--task_type", options.task_type, "--llm_model", model, "--data_path", str(self.train_path)]
        argv += ["--store_path", str(store), "--run_dir", str(folder), *words]
        argv += self._flags("max_samples", "max_rounds", "max_rollouts", "batch_size", "seed", *SAMPLING)
        argv += self._flags(*(role for role in ROLES if role in options))
        self.commands.append(shlex.join(["flex", "train", *self._shown(argv)]))
        if not (store.exists() and _finished(folder)):
            said = io.StringIO()
            parsed = train.parse([*argv, *self._spending(), *self.base_url()])
            parsed.extra_body, parsed.resume = options.extra_body, RESUME
            with redirect_stdout(said):
                code = await train.train_command(parsed)
            if code:
                print(said.getvalue(), end="")
                raise Ended(code)
            self._spent(_finished(folder)["usage"], _train_models(parsed))
        return ExpLib(store)

    async def answer(
        self, folder: Path, setting: str, model: str, library: Path | None = None, *words: str
    ) -> "Measured":
        """What a setting scores on the test split; `words` are further flags of `flex eval`."""
        from flex.endpoint.embeddings import embedding_models
        from flex.evaluation.loop import load_results
        from flex.evaluation.settings import get_setting
        from flex.files.runlog import to_jsonable
        from flex.types import Usage

        options, place = self.options, folder / setting
        argv = ["--benchmark", options.task_type, "--setting", setting, "--model", model, "--data_path"]
        argv += [str(self.test_path), *(["--library", str(library)] if library else []), "--out", str(folder), *words]
        argv += ["--train_path", str(self.train_path)] if self.train_path.is_file() else []
        argv += self._flags("samples", "repeats", "max_concurrent", *SAMPLING)
        argv += self._flags("retriever_model") if "retriever_model" in options else []
        self.commands.append(shlex.join(["flex", "eval", *self._shown(argv)]))
        if not self._answered(place):
            before = [row.usage for row in load_results(place)] if place.exists() else []
            parsed = evaluation.parse([*argv, *self._spending(), *self.base_url()])
            parsed.extra_body = options.extra_body
            plan, summaries, reason = await run_settings(parsed, [get_setting(setting)], lambda _: place)
            if reason:
                raise Ended(stopped(reason, RESUME))
            for line in leakage_lines(plan):
                print(f"  {line}")
            usage = dict(summaries[setting]["usage_by_role"])
            known = sum(before, Usage())
            models = {role: getattr(options, "retriever_model", None) or model for role in usage} | {"actor": model}
            models |= embedding_models(plan.library.config if plan.library else {})
            self._spent(usage, models, to_jsonable(known))
        return Measured(place)

    def _answered(self, place: Path) -> bool:
        """Whether every answer of this call is there and none has failed."""
        if not (place / "summary.json").exists():
            return False
        summary, wanted = read_json(place / "summary.json"), (len(self.test_tasks), self.options.repeats)
        return (summary.get("n"), summary.get("repeats")) == wanted and not summary.get("failed")

    def _flags(self, *names: str) -> list[str]:
        """Options as they were given to the experiment, as flags of a step."""
        given = [(name, getattr(self.options, name)) for name in names]
        return [word for name, value in given if value is not None for word in (f"--{name}", str(value))]

    def _shown(self, argv: Sequence[str]) -> list[str]:
        """The flags with paths as they are seen from the experiment's folder."""
        root = str(self.out)
        return [word.removeprefix(root).lstrip("/") if word.startswith(root + "/") else word for word in argv]

    def _spending(self) -> list[str]:
        """Flags on pace, and on what is left of the budget. Raises Ended when nothing is."""
        options = self.options
        words = self._flags(*PACING, "prices") + ["--no-telemetry"] * (not options.telemetry)
        for name, limit, spent in (
            ("max_tokens_total", options.max_tokens_total, self._tokens),
            ("max_usd", options.max_usd, self._usd),
        ):
            if limit is not None:
                if limit <= spent:
                    raise Ended(stopped(f"--{name} {limit:,} is spent", RESUME))
                words += [f"--{name}", str(limit - spent)]
        return words

    def _spent(
        self, by_role: Mapping[str, Any], models: Mapping[str, str], known: Mapping[str, Any] | None = None
    ) -> None:
        """Take what a step used off the budget; `known` stood there before this call."""
        from flex.endpoint.cost import Prices, by_model
        from flex.files.runlog import decode
        from flex.types import Usage

        usage: dict[str, Usage] = {role: decode(Usage, used) for role, used in by_role.items()}
        before = decode(Usage, known).tokens if known else 0
        tokens = sum(used.tokens for used in usage.values())
        fresh = max(0.0, 1 - before / tokens) if tokens else 0.0
        self._tokens += max(0, tokens - before)
        if self.options.max_usd is not None:
            total = Prices.load(self.options.prices, self._base_url).total(by_model(usage, models))
            self._usd += (total or 0.0) * fresh

    def finish(self, result: Mapping[str, Any], page: str, svg: str, table: "Table") -> int:
        """Write result.json, picture.svg and index.html, and print the table."""
        from flex.files.atomic import write_atomically, write_json

        write_json(self.out / "result.json", result)
        write_atomically(self.out / "picture.svg", svg.encode())
        write_atomically(self.out / "index.html", page.encode())
        for line in table.lines():
            print(line)
        print(f"picture: {self.out / 'index.html'}, {self.out / 'picture.svg'}; numbers: {self.out / 'result.json'}")
        return 0


def _finished(folder: Path) -> dict[str, Any]:
    """The closing event of a training run in which not everything failed; empty when there is none."""
    from flex.files.runlog import RunLog

    ends = [event for event in RunLog(folder).events("finished") if event["explored"] > event["failed"]]
    return ends[-1] if ends else {}


def _train_models(options: argparse.Namespace) -> dict[str, str]:
    actor = options.llm_model
    critic = options.critic_model or actor
    return {
        "actor": actor,
        "verifier": options.verifier_model or actor,
        "critic": critic,
        "updater": options.updater_model or critic,
        "retriever": options.retriever_model or actor,
    }


def apprentice_remark(steps: Steps) -> list[str]:
    words = "The apprentice is a mechanical learner, not an LLM; its numbers mean nothing beside those of one."
    return [words] if steps.of_apprentices else []
