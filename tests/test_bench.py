"""The measurements can be started; what they measure is run by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = sorted((Path(__file__).parents[1] / "bench").glob("*.py"))


@pytest.mark.parametrize("path", BENCH, ids=lambda path: path.stem)
def test_a_bench_says_how_it_is_used(path):
    done = subprocess.run([sys.executable, path, "--help"], cwd=path.parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout
