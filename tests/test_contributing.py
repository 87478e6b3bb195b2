"""The guide to adding a benchmark, followed to the letter in a copy of the repository."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "adding-a-benchmark.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w/.]+)`\n\n```\w+\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE))
CHECK, BY_HAND = (b.replace("\\\n", " ").splitlines() for b in re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL))


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The repository with the guide's files in it."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "flex", folder / "flex", ignore=shutil.ignore_patterns("shipped"))  # with what is compiled
    for name in ("prompts", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    for name, content in FILES.items():
        assert not (folder / name).exists(), f"{name} is not the guide's to change"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def follow(line: str, folder: Path, **environment: str) -> str:
    """Run one line of the guide; what it printed."""
    words = shlex.split(line)
    while "=" in words[0]:
        environment |= dict([words.pop(0).split("=", 1)])
    assert words.pop(0) == "python"
    environment |= {"PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # they take seconds to import
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guide_is_one_file_one_prompt_one_test_and_the_rows():
    assert sorted(FILES) == [
        "data/sequences/test.jsonl",
        "data/sequences/train.jsonl",
        "flex/benchmarks/sequences.py",
        "prompts/llm_system_prompt_sequences.txt",
        "tests/benchmarks/test_sequences.py",
    ]


def test_the_tests_of_the_guide_pass(copy):
    for line in CHECK[:2]:
        assert re.search(r"\d+ passed", follow(line, copy))
    golden = copy / "tests/golden/prompts/llm_system_prompt_sequences.txt"
    assert golden.read_text(encoding="utf-8") == FILES["prompts/llm_system_prompt_sequences.txt"]


def test_what_the_guide_does_by_hand_works_on_the_apprentice(copy, url):
    *_, train, evaluate, audit = BY_HAND
    follow(train, copy, BASE_URL=url)
    assert "flex" in follow(evaluate, copy, BASE_URL=url)
    assert "0 by the 2 training tasks" in follow(audit, copy)
    assert (
        json.loads((copy / "results/sequences_apprentice/summary.json").read_text())["settings"]["flex"]["failed"] == 0
    )


def test_rows_of_a_new_benchmark_are_not_ignored():
    if not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout")
    ignored = ["git", "check-ignore", "-q", "data/sequences/train.jsonl"]
    assert subprocess.run(ignored, cwd=ROOT).returncode == 1
