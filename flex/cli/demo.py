"""`flex demo`: watch an agent get better from experience, on a machine with no key, no network and no GPU."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flex.cli.command import run_command
from flex.cli.eval import eval_command
from flex.cli.flags import Parser
from flex.cli.train import train_command
from flex.files.paths import shipped
from flex.runs.config import EndpointConfig, EvalRun, TrainRun
from flex.runs.fields import names_in


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex demo", "Train on the demo split with the apprentice, then evaluate vanilla, agent and flex.",
                    "flex demo --out runs/demo")  # fmt: skip
    add = parser.add_argument
    add("--out", type=Path, default=None, help="where to write; default runs/demo-<time>")
    add("--settings", "--setting", default="vanilla,agent,flex", help="what to compare, as in `flex eval`")
    add("--no-telemetry", dest="telemetry", action="store_false", help="send no traces to a collector")
    options = parser.parse(argv)
    options.out = options.out or Path("runs") / f"demo-{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}"
    resume = f"`flex demo --out {options.out}` goes on from here."
    return run_command(lambda: demo(options, resume), verbose=options.verbose, resume=resume)


async def demo(options: argparse.Namespace, resume: str) -> int:
    """The same functions as a real run, with the apprentice for a model."""
    from flex.apprentice import running_apprentice

    data, library = shipped("data/retro_demo"), options.out / "library.json"
    print("The apprentice is a mechanical learner, not an LLM: it knows no chemistry but what it reads in its prompt.")
    with running_apprentice() as base_url:
        common: dict[str, Any] = {"benchmark": "retro", "model": "apprentice", "telemetry": options.telemetry}
        common["endpoint"] = EndpointConfig(base_url=base_url)
        print(f"\n1. Learning from {data / 'train.jsonl'}")
        learning = TrainRun(
            data_path=data / "train.jsonl",
            save_to=library,
            out=options.out / "train",
            max_rounds=2,
            max_rollouts=1,
            use_library=True,
            batch_size=10,
            **common,
        )
        if code := await train_command(learning, resume):
            return code
        print(f"\n2. Answering {data / 'test.jsonl'} with and without the library\n")
        answering = EvalRun(
            settings=names_in(options.settings),
            data_path=data,
            library=library,
            out=options.out / "eval",
            **common,
        )
        if code := await eval_command(answering):
            return code
    print(_what_next(options.out))
    return 0


def _what_next(out: Path) -> str:
    return f"""
Everything is in {out}:
  library.json       what was learned, to read
  train/             the training run: config.json, events.jsonl
  eval/report.html   the comparison, problem by problem; eval/<setting>/ holds a log per problem and results.jsonl

The same against a real endpoint:
  export BASE_URL=https://.../v1 API_KEY=...
  flex download      # the paper's splits
  flex train --benchmark retro --model MODEL --use_library --save_to exps/mine.json
  flex eval --benchmark retro --model MODEL --library exps/mine.json --settings vanilla,agent,flex,flex-shuffled"""
