"""What the README says is run: its Python, its flags, and the demo, whose library is the one that ships."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flex.apprentice import running_apprentice
from flex.cli import COMMANDS, ablation, inheritance, scaling_law
from flex.cli import main as flex
from flex.cli.eval import build_parser as eval_parser
from flex.cli.test import benchmark_parser, flex_parser
from flex.cli.train import build_parser
from flex.explib import ExpLib

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
BASH = "\n".join(re.findall(r"```bash\n(.*?)```", README, re.DOTALL)).replace("\\\n", " ")
EPOCH = "1767225600"
"""The moment the demo library that ships was made at."""


def test_the_agent_of_the_readme_consults_the_library():
    code = next(block for block in PYTHON if "smolagents" in block)
    with running_apprentice() as url:
        for real, ours in (("gpt-5-mini", "apprentice"), ('"gpt-5"', '"apprentice"'), ("https://.../v1", url)):
            assert real in code
            code = code.replace(real, ours)
        code += "\nprint(agent.memory.get_full_steps())"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "BASE_URL": url}, capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    assert "RETRO_TEMPLATE" in done.stdout.split("Observation", 1)[-1]


def test_the_notebook_cell_of_the_readme_shows_entries(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(next(block for block in PYTHON if "lib" in block and "search(" in block), {})
    assert capsys.readouterr().out.count("RETRO_TEMPLATE") == 3


def test_the_merge_of_the_readme_works(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(next(block for block in PYTHON if ".merge(" in block), {})
    assert capsys.readouterr().out.startswith("{'identical': 20} ")


def test_every_flag_of_the_readme_exists():
    parsers = {
        "reject_sampling.py": build_parser(),
        "test_retro.py": benchmark_parser("retro", "x.jsonl", "exps/retro.json"),
        "test_aime.py": benchmark_parser("math", "x.jsonl", "exps/aime.json"),
        "test_flex.py": flex_parser(),
        "eval": eval_parser(),
        "scaling_law.py": scaling_law.build_parser(),
        "inheritance.py": inheritance.build_parser(),
        "ablation.py": ablation.build_parser(),
    }
    seen = 0
    for line in BASH.splitlines():
        words = shlex.split(line, comments=True)
        if len(words) > 1 and words[0] in ("python", "flex") and (name := Path(words[1]).name) in parsers:
            parsers[name].parse(words[2:])
            seen += 1
    assert seen >= 5
    for flag in re.findall(r"`(--[\w-]+)", README):
        assert any(
            flag.replace("-", "_") in option.replace("-", "_") for p in parsers.values() for option in options(p)
        )


def options(parser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def test_every_file_of_the_readme_exists():
    table = README.split("## The files, in reading order")[1].split("\n## ")[0]
    folder = ""
    for name in re.findall(
        r"`([\w/.]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()[4:] if "|" in row)
    ):
        folder = str(Path(name).parent) if "/" in name else folder
        assert (ROOT / name).exists() or (ROOT / folder / name).exists(), name


def test_every_command_has_its_module():
    for module, _ in COMMANDS.values():
        place = ROOT / "flex" / "cli" / module
        assert place.with_suffix(".py").exists() or (place / "__init__.py").exists()


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo run as a person starts it, at a fixed time: (what it printed, its folder)."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    done = subprocess.run(
        [sys.executable, "-m", "flex", "demo", "--no-telemetry", "--out", str(folder)],
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, folder


def test_the_demo_shows_an_agent_that_got_better(demo):
    summary = json.loads((demo[1] / "eval" / "summary.json").read_text())
    accuracy = {name: setting["accuracy"] for name, setting in summary["settings"].items()}
    assert accuracy["vanilla"] == accuracy["agent"] == 0.0
    assert accuracy["flex"] >= 0.35
    verdicts = {(row["a"], row["b"]): row["verdict"] for row in summary["comparisons"]}
    assert verdicts["flex", "agent"] == verdicts["flex", "vanilla"] == "better"
    assert all(name in demo[0] for name in ("95 % interval", "calls", "tokens", "seconds", "report.html"))
    assert (demo[1] / "eval" / "report.html").stat().st_size > 100_000
    assert "not an LLM" in demo[0]


def test_the_library_commands_of_the_readme_say_what_it_shows(demo, monkeypatch, capsys, tmp_path):
    (tmp_path / "exps").mkdir()
    for name in ("retro_demo", "mine", "a", "b"):
        (tmp_path / "exps" / f"{name}.json").write_bytes((demo[1] / "library.json").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    blocks = re.findall(r"^(?:\$ )?(flex lib .*)\n((?:[ r]+\d.*\n)*)", README, re.MULTILINE)
    assert sum(shown.count("\n") for _, shown in blocks) >= 6
    for command, shown in blocks:
        words = shlex.split(command, comments=True)[1:]
        assert flex([*words, "--yes"] if "rollback" in words else words) == 0, command + capsys.readouterr().err
        assert set(shown.splitlines()) <= set(capsys.readouterr().out.splitlines()), command


def test_the_library_that_ships_is_the_one_the_demo_learns(demo):
    learned = (demo[1] / "library.json").read_bytes()
    if os.environ.get("FLEX_UPDATE_GOLDEN"):
        (ROOT / "exps" / "retro_demo.json").write_bytes(learned)
    assert learned == (ROOT / "exps" / "retro_demo.json").read_bytes()
    assert len(ExpLib(ROOT / "exps" / "retro_demo.json")) >= 10
