"""An account that dries up at a random call of an evaluation in six settings."""

import json
import os
import random
import urllib.request
from pathlib import Path

import pytest

from flex.cli.eval import main as evaluate
from flex.evaluation.settings import SETTINGS
from tests.fake_endpoint import Answer, Endpoint, error

ROOT = Path(__file__).parents[2]
CONCURRENCY = 4
SEEDS = range(20 if os.environ.get("FLEX_LONG") else 3)
SIX = ",".join(name for name in SETTINGS if name != "flex-chat")


def words(url: str, out: Path) -> list[str]:
    data, library = ROOT / "data/retro_demo", ROOT / "exps/retro_demo.json"
    text = f"--benchmark retro --model apprentice --library {library} --data_path {data} --settings {SIX} --samples 2"
    return [*text.split(), "--max_concurrent", str(CONCURRENCY), "--base_url", url, "--no-telemetry", "--out", str(out)]


def rows(out: Path) -> dict[str, list[dict]]:
    """What was answered, by setting, without what differs from run to run."""
    files = sorted(out.glob("*/results.jsonl"))
    kept = {path.parent.name: [json.loads(line) for line in path.read_text().splitlines()] for path in files}
    return {name: [{k: v for k, v in row.items() if k != "seconds"} for row in found] for name, found in kept.items()}


class Account:
    """An apprentice that answers so many calls, then for nobody."""

    def __init__(self, url: str, calls: float) -> None:
        self.url, self.left = url.removesuffix("/v1"), calls

    def __call__(self, call) -> dict | Answer:
        self.left -= 1
        if self.left < 0:
            return Answer(402, error("Insufficient Balance"))
        asked = urllib.request.Request(
            self.url + call.path, json.dumps(call.body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(asked) as answer:
            return json.loads(answer.read())


@pytest.fixture(scope="module")
def undisturbed(url, tmp_path_factory) -> tuple[dict[str, list[dict]], int]:
    """The rows of a run without a fault, and how many calls it takes."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    with Endpoint(default=Account(url, 1e9)) as endpoint:
        assert evaluate(words(endpoint.url, out)) == 0
    return rows(out), len(endpoint.calls)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dry_account_stops_the_run_at_once_and_the_same_command_ends_as_if_it_never_had(
    url, undisturbed, tmp_path, capsys, seed
):
    whole, calls = undisturbed
    dry_at, out = random.Random(seed).randrange(calls), tmp_path / "run"
    with Endpoint(default=Account(url, dry_at)) as endpoint:
        assert evaluate(words(endpoint.url, out)) == 3
    assert len(endpoint.calls) - dry_at - 1 <= CONCURRENCY + 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert "the account cannot pay (402 Insufficient Balance)" in shown.err
    assert all(row["unanswered"] or row["error"] is None for found in rows(out).values() for row in found)
    with Endpoint(default=Account(url, 1e9)) as endpoint:
        assert evaluate(words(endpoint.url, out)) == 0
    assert rows(out) == whole
