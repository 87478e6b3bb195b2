"""Fixtures for all tests: the shared data folder, no sockets beyond this machine, and what end-to-end tests share.

`pytest -m "not end_to_end"` runs the units alone.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from flex.apprentice import running_apprentice
from flex.cli import main as flex

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "data" / "retro_demo"
END_TO_END = ("cli", "experiments", "runs", "test_bench.py", "test_contributing.py", "test_docs.py")
"""Folders and files of tests that run whole commands."""

hypothesis.settings.register_profile("suite", derandomize=True, database=None, deadline=None, max_examples=50)
hypothesis.settings.register_profile("long", deadline=None, max_examples=500)
hypothesis.settings.load_profile("long" if os.environ.get("FLEX_LONG") else "suite")
"""The same examples in every run, or with FLEX_LONG=1 other ones each time and many."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(ROOT / "tests").parts[0] in END_TO_END:
            item.add_marker(pytest.mark.end_to_end)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and published libraries beside the checkout."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the real data in ../shared (data/ and exps/) beside the checkout")
    return folder


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to connect to anything but this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address):
        outside = self.family in (socket.AF_INET, socket.AF_INET6)
        if outside and not str(address[0]).startswith(("127.", "::1", "localhost")):
            raise AssertionError(f"a test tried to reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start every test without an endpoint in the environment."""
    for name in ("BASE_URL", "API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The address of an apprentice."""
    with running_apprentice() as address:
        yield address


@pytest.fixture(scope="session")
def trained(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library learned from twelve demo tasks and its run. Copy what is to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    done = subprocess.run(
        [str(word) for word in (
            sys.executable, ROOT / "scripts" / "reject_sampling.py", "--task_type", "retro",
            "--data_path", DEMO / "train.jsonl", "--max_samples", "12", "--store_path", folder / "library.json",
            "--run_dir", folder / "run", "--llm_model", "apprentice", "--max-rounds", "2", "--max_rollouts=1",
            "--batch_size", "4", "--no-telemetry",
        )],
        cwd=ROOT, env={**os.environ, "BASE_URL": url}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def evaluated(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished evaluation of the library that ships, in all settings. Copy it to change it.

    Made by the command in docs/evaluation.md, with two settings more.
    """
    folder = tmp_path_factory.mktemp("evaluated") / "run"
    code = flex([
        "eval", "--benchmark", "retro", "--model", "apprentice", "--library", "exps/retro_demo.json",
        "--data_path", "data/retro_demo", "--settings", "vanilla,icl,agent,flex,flex-empty,flex-shuffled",
        "--samples", "15", "--out", str(folder), "--base_url", url, "--no-telemetry",
    ])  # fmt: skip
    assert code == 0
    return folder
