"""A benchmark through all of its commands, against an endpoint that knows the answers; for the test of a new one."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from flex.benchmarks import get_benchmark
from flex.cli import main as flex
from tests.fake_endpoint import Call, Endpoint
from tests.replies import accept, decision, experience, fenced

ROOT = Path(__file__).parents[1]
SETTINGS = ("vanilla", "icl", "agent", "flex")


def put_through(name: str, say: Callable[[str], str], folder: Path, samples: int = 4) -> dict[str, float]:
    """The accuracy of every setting after `flex train`, `audit` and `eval`, all of which have to succeed.

    `say(target)` is the reply of a model that knows the target. `folder` takes what the commands write.
    """
    data, library = ROOT / get_benchmark(name).folder, folder / "library.json"
    train, test = data / "train.jsonl", data / "test.jsonl"
    with Endpoint(default=all_knowing([*rows(train), *rows(test)], say)) as endpoint:
        online = ("--base_url", endpoint.url, "--no-telemetry")
        run("train", "--task_type", name, "--data_path", train, "--llm_model", "m", "--max_samples", samples,
            "--store_path", library, "--run_dir", folder / "run", *online)  # fmt: skip
        run("audit", library, "--against", test, "--task_type", name, "--train", train)
        run("eval", "--benchmark", name, "--model", "m", "--data_path", data, "--library", library,
            "--setting", ",".join(SETTINGS), "--samples", samples, "--out", folder / "eval", *online)  # fmt: skip
    settings = json.loads((folder / "eval" / "summary.json").read_text(encoding="utf-8"))["settings"]
    return {setting: summary["mean_score"] for setting, summary in settings.items()}


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(*words: object) -> None:
    assert flex([str(word) for word in words]) == 0, words


def all_knowing(rows: Sequence[Mapping[str, str]], say: Callable[[str], str]) -> Callable[[Call], str]:
    """Every role of a run, told apart by the reply it is asked for."""
    roles = {
        '"revised_trajectory"': experience(),
        '"action"': decision("insert"),
        '"selected"': fenced({"selected": [1]}),
        "<next_step>": accept(),
    }

    def reply(call: Call) -> str:
        said = "\n".join(str(message["content"]) for message in call.body["messages"])
        for mark, line in roles.items():
            if mark in said:
                return line
        asked = max(rows, key=lambda row: (said.rfind(row["question"]), len(row["question"])))
        answer = say(asked["answer"])
        return f"Thought: known.\n<code>\nfinal_answer({answer!r})\n</code>" if "final_answer" in said else answer

    return reply
