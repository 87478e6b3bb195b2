"""The measurements can be started; what they measure is run by hand."""

import json
import runpy
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from flex.explib import ExpLib
from flex.library.entry import characters

ROOT = Path(__file__).parents[1]
PARTS = ("recombined", "targets")
"""What the measurements are made of, which nobody starts."""
BENCH = [path for path in sorted((ROOT / "bench").glob("*.py")) if path.stem not in PARTS]
sys.path.insert(0, str(ROOT / "bench"))
from recombined import Recombined  # noqa: E402 - scripts find what stands beside them, tests have to be told


@pytest.mark.parametrize("path", BENCH, ids=lambda path: path.stem)
def test_a_bench_says_how_it_is_used(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_path(str(path), run_name="__main__")
    assert "usage" in capsys.readouterr().out


def test_a_small_library_is_measured_in_both_stores(tmp_path):
    small = "--sizes 40 --characters 300 --questions 10 --inserts 8 --kills 1 --writers 2 --seconds 0.1 --out o"
    command = [sys.executable, ROOT / "bench/library.py", *small.split(), "--keep", "kept"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    json_library, database, writers = json.loads((tmp_path / "o").read_text())
    assert json_library["numbers"]["hit@10"] == database["numbers"]["hit@10"] == 1.0
    assert database["numbers"]["found elsewhere s"] > 0
    assert (len(ExpLib(tmp_path / "kept/words-300-40.db")), len(ExpLib(tmp_path / "kept/words-300-40.json"))) == (
        40,
        40,
    )
    assert writers["numbers"]["acknowledged"] > 0
    assert writers["numbers"]["lost or unreadable"] == writers["numbers"]["errors"] == 0
    assert "pass: lost or unreadable 0 <= 0 (2 writers)" in done.stdout


def test_an_entry_is_always_the_same_and_about_as_long_as_asked(shared):
    for like in (None, shared / "exps/aime_claude.json"):
        made = Recombined(2000, like)
        assert made.entry(7) == Recombined(2000, like).entry(7) != made.entry(8)
        assert 1500 < statistics.mean(characters(made.entry(n)) for n in range(50)) < 2500
