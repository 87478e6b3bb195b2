"""`flex demo`: watch an agent get better from experience, on a machine with no key, no network and no GPU."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from flex.cli import eval as evaluation
from flex.cli import train
from flex.cli.options import Parser, run_command
from flex.files.paths import shipped

TRAINING = ["--max_rounds", "2", "--max_rollouts", "1", "--use_library", "--batch_size", "10"]


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex demo", "Train on the demo split with the apprentice, then evaluate vanilla, agent and flex.")
    parser.add_argument("--out", type=Path, default=None, help="where to write; default runs/demo-<time>")
    parser.add_argument("--setting", default="vanilla,agent,flex", help="what to compare, as in `flex eval`")
    parser.add_argument("--no-telemetry", dest="telemetry", action="store_false", help="send no traces to a collector")
    options = parser.parse(argv)
    options.out = options.out or Path("runs") / f"demo-{datetime.now(UTC).strftime('%Y%m%d-%H%M%S')}"
    resume = f"`flex demo --out {options.out}` goes on from here."
    return run_command(lambda: demo(options), resume=resume)


async def demo(options: argparse.Namespace) -> int:
    """The same functions as a real run, with the apprentice for a model."""
    from flex.apprentice import running_apprentice

    data, library = shipped("data/retro_demo"), options.out / "library.json"
    print("The apprentice is a mechanical learner, not an LLM: it knows no chemistry but what it reads in its prompt.")
    with running_apprentice() as base_url:
        shared = ["--base_url", base_url] + ([] if options.telemetry else ["--no-telemetry"])
        print(f"\n1. Learning from {data / 'train.jsonl'}")
        learning = ["--task_type", "retro", "--llm_model", "apprentice", "--data_path", str(data / "train.jsonl")]
        places = ["--store_path", str(library), "--run_dir", str(options.out / "train")]
        if code := await train.train_command(train.parse([*learning, *places, *TRAINING, *shared])):
            return code
        print(f"\n2. Answering {data / 'test.jsonl'} with and without the library\n")
        answering = [
            "--benchmark",
            "retro",
            "--model",
            "apprentice",
            "--data_path",
            str(data),
            "--library",
            str(library),
        ]
        places = ["--out", str(options.out / "eval"), "--setting", options.setting]
        if code := await evaluation.eval_command(evaluation.parse([*answering, *places, *shared])):
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
  flex train --task_type retro --data_path data/uspto50k/train.jsonl --llm_model MODEL --store_path exps/mine.json
  flex eval --benchmark retro --model MODEL --library exps/mine.json --setting vanilla,agent,flex,flex-shuffled"""
