"""A library that asks for vectors, through `flex eval`: one client, one account, one budget."""

import json
from pathlib import Path

import pytest

from flex.benchmarks import get_benchmark
from flex.cli import main as flex
from flex.explib import ExpLib
from flex.types import Experience, Usage
from tests.fake_endpoint import Call, Endpoint, completion
from tests.plumbing import ROOT, all_knowing, rows

DATA = ROOT / get_benchmark("units").folder
USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def endpoint(usage: dict[str, int]) -> Endpoint:
    """It knows every answer, and one vector for all texts that costs 7 tokens."""
    chat = all_knowing(rows(DATA / "test.jsonl"), str)

    def answer(call: Call) -> dict:
        if call.path == "/v1/embeddings":
            data = [{"index": place, "embedding": [1.0, 0.0, 0.0]} for place, _ in enumerate(call.body["input"])]
            return {"data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}}
        return completion(chat(call), usage=usage)

    return Endpoint(default=answer)


@pytest.fixture(params=["library.json", "library.db"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    made = ExpLib()
    made.add(Experience("Count twice"))
    made.add(Experience("Read the question again"))
    made.config["embeddings"] = {"model": "e", "dimensions": 3}
    made.save(tmp_path / request.param)
    return tmp_path / request.param


def evaluate(url: str, library: Path, *more: object) -> int:
    return flex([str(word) for word in (
        "eval", "--benchmark", "units", "--model", "m", "--data_path", DATA, "--library", library,
        "--setting", "flex-chat",
        "--samples", 4, "--max_concurrent", 1, "--out", library.parent / "out", "--base_url", url, "--no-telemetry",
        *more,
    )])  # fmt: skip


def test_embeddings_are_counted_and_priced_like_any_call(library: Path):
    prices = library.with_name("prices.json")
    prices.write_text(json.dumps({"m": {"input": 1, "output": 1}, "e": {"input": 1000, "output": 0}}))
    with endpoint(USAGE) as running:
        assert evaluate(running.url, library, "--prices", prices, "--max_usd", 1000) == 0
        embedded = sum(call.path == "/v1/embeddings" for call in running.calls)
        assert evaluate(running.url, library, "--prices", prices) == 0  # all rows are there, and cost what they did
        assert sum(call.path == "/v1/embeddings" for call in running.calls) == embedded
    summary = json.loads((library.parent / "out" / "flex-chat" / "summary.json").read_text())
    by_role = {role: Usage(**usage) for role, usage in summary["usage_by_role"].items()}
    assert by_role["embeddings"] == Usage(embedded, prompt_tokens=7 * embedded)
    chat = sum((usage for role, usage in by_role.items() if role != "embeddings"), Usage())
    assert summary["cost"]["usd"] == pytest.approx((1000 * 7 * embedded + chat.tokens) / 1e6)
    assert summary["correct"] == 4


def test_embeddings_alone_can_use_up_a_budget(library: Path, capsys: pytest.CaptureFixture[str]):
    with endpoint({"prompt_tokens": 1}) as running:
        assert evaluate(running.url, library, "--max_tokens_total", 15) == 3
    assert "tokens are spent, --max_tokens_total is 15" in capsys.readouterr().err


def test_a_budget_of_money_needs_the_price_of_the_vectors_too(library: Path, capsys: pytest.CaptureFixture[str]):
    prices = library.with_name("prices.json")
    prices.write_text(json.dumps({"m": {"input": 1, "output": 1}}))
    with endpoint(USAGE) as running:
        assert evaluate(running.url, library, "--prices", prices, "--max_usd", 1000) == 2
        assert not running.calls
    assert "no price is known for model e" in capsys.readouterr().err


def test_a_replay_reads_the_vectors_that_are_there_and_asks_for_none(library: Path, capsys: pytest.CaptureFixture[str]):
    with endpoint(USAGE) as running:
        assert evaluate(running.url, library) == 0
    nowhere = "http://127.0.0.1:9"
    again = ("--replay", library.parent / "out", "--out")
    assert evaluate(nowhere, library, *again, library.parent / "again") == 0
    library.with_name(f".{library.name}.vectors").unlink()
    assert evaluate(nowhere, library, *again, library.parent / "third") == 2
    assert "it kept nothing of embedding model 'e', and in a replay nobody is asked" in capsys.readouterr().err
