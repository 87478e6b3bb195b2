"""`flex demo`: watch an agent get better from experience, on a machine with no key, no network and no GPU."""

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flex.cli import test, train
from flex.cli.options import Parser, run_command
from flex.shipped import shipped

SETTINGS = {"vanilla": ["--no-use_actor"], "agent": ["--use_actor"], "flex": ["--use_actor", "--retrieve"]}
TRAINING = ["--max_rounds", "2", "--max_rollouts", "1", "--use_library", "--batch_size", "10"]


def main(argv: Sequence[str] | None = None) -> int:
    parser = Parser("flex demo", "Train on the demo split with the apprentice, then evaluate vanilla, agent and flex.")
    parser.add_argument("--out", type=Path, default=None, help="where to write; default runs/demo-<time>")
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
        code = await train.train_command(
            train.parse(
                ["--task_type", "retro", "--data_path", str(data / "train.jsonl"), "--store_path", str(library),
                 "--run_dir", str(options.out / "train"), "--llm_model", "apprentice", *TRAINING, *shared]
            )
        )  # fmt: skip
        if code:
            return code
        print(f"\n2. Answering {data / 'test.jsonl'} in {len(SETTINGS)} settings")
        rows = [await _measured(name, flags, options.out, data, library, shared) for name, flags in SETTINGS.items()]
    print("\n" + table(rows))
    print(_what_next(options.out, library))
    return 0


async def _measured(
    name: str, flags: list[str], out: Path, data: Path, library: Path, shared: list[str]
) -> dict[str, Any]:
    started = time.monotonic()
    parser = test.benchmark_parser("retro", str(data / "test.jsonl"), str(library))
    words = ["--model", "apprentice", "--results_dir", str(out / name), *flags, *shared]
    _, summary = await test.measure(test.parse(parser, words))
    return {**summary, "seconds": time.monotonic() - started}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The settings side by side: accuracy with its 95 % interval, calls, tokens, wall-clock seconds."""
    lines = ["setting   accuracy  95 % interval    calls   tokens  seconds", "-" * 59]
    for row in rows:
        interval = f"{100 * row['low']:.1f} - {100 * row['high']:.1f}"
        tokens = row["usage"]["prompt_tokens"] + row["usage"]["completion_tokens"]
        lines.append(
            f"{row['setting']:<10}{100 * row['accuracy']:>6.1f} %  {interval:>13}"
            f"{row['usage']['calls']:>9}{tokens:>9}{row['seconds']:>9.1f}"
        )
    return "\n".join(lines)


def _what_next(out: Path, library: Path) -> str:
    return f"""
Everything is in {out}:
  library.json         what was learned, to read
  train/               the training run: config.json, events.jsonl
  flex/, flex_process/ a log per problem, results.jsonl, summary.json; the agents' raw traces

The same against a real endpoint:
  export BASE_URL=https://.../v1 API_KEY=...
  flex download                            # the paper's splits
  python scripts/reject_sampling.py --task_type retro --data_path data/uspto50k/train.jsonl \\
      --llm_model MODEL --store_path exps/mine.json
  python scripts/test_retro.py --model MODEL --retrieve --memory_path exps/mine.json"""
