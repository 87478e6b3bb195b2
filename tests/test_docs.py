"""What README and docs/ say is done: one reader goes through all pages in order, in one folder, with the apprentice.

Every command is run, with few tasks unless the page shows what it prints; every Python block too, and every output
block is compared with what is printed now (`...` matches anything). Outputs marked `<!-- long: COMMAND -->` take
minutes: FLEX_LONG=1 compares them.
"""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from flex.cli import COMMANDS
from flex.cli import main as flex
from flex.explib import ExpLib
from flex.types import Experience

ROOT = Path(__file__).parents[1]
PAGES = ["README.md"] + [f"docs/{name}.md" for name in ("index", "endpoints", "libraries", "evaluation", "benchmarks",
         "experiments", "formats", "adding-a-benchmark")]  # fmt: skip
PAGES += ["CONTRIBUTING.md", "bench/README.md", "exps/README.md", "data/README.md"]
TEXT = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
BLOCK = re.compile(r"^((?:<!-- [^\n]* -->\n)?)```(bash|python|text)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ELSEWHERE = {"docs/adding-a-benchmark.md": "tests/test_contributing.py"}
"""Pages whose blocks another test follows."""
EPOCH = "1767225600"
"""The moment the demo library that ships was made at."""

FEW = {
    "train": "--samples 2 --max_rollouts 1 --no-telemetry",
    "eval": "--samples 2 --no-telemetry",
    "scaling-law": "--train_samples 2 --samples 2 --epochs 1 --early 0 --no-telemetry",
    "inheritance": "--train_samples 2 --samples 2 --models apprentice --no-telemetry",
    "ablation": "--train_samples 2 --samples 2 --no-telemetry",
    "reject_sampling.py": "--max_samples 2 --max_rollouts 1 --no-telemetry",
    "test_aime.py": "--samples 2 --no-telemetry",
    "test_retro.py": "--samples 2 --no-telemetry",
    "test_flex.py": "--samples 2 --no-telemetry",
    "render_picture.py": "--train_samples 2 --samples 2 --epochs 1 --early 0 --out pictures --no-telemetry",
}
"""What is added to a command whose output no page shows; of a flag given twice the last one counts."""
ONLY_PARSED = ("download", "demo", "apprentice")
"""These need a network, are run by the fixture `demo`, or are running already."""


# One reader


class Walk:
    """Goes through pages in a folder of its own and writes down what was printed and what went wrong."""

    def __init__(self, folder: Path, url: str, demo: str) -> None:
        self.folder, self.url, self.demo = folder, url, demo
        self.problems = dict[str, list[str]]()
        self.printed = dict[str, str]()
        self.names = dict[str, dict]()

    def page(self, page: str) -> None:
        self.problems[page], self.printed[page], self.names[page] = [], "", {}
        blocks = [match.groups() for match in BLOCK.finditer(TEXT[page])]
        output = ""
        for place, (mark, kind, content) in enumerate(blocks):
            try:
                if kind == "bash":
                    output = self.bash(content, shown=is_output(blocks[place + 1 : place + 2]))
                elif kind == "python":
                    output = self.agent(content) if "smolagents" in content else self.python(content, self.names[page])
                elif content.startswith("$ "):
                    self.session(content)
                elif not mark.startswith("<!-- long"):
                    assert matches(content, output), f"the page shows\n{content}\nbut now it prints\n{output}"
            except (Exception, SystemExit) as error:
                self.problems[page].append(f"{content}\n{type(error).__name__}: {error}")
            self.printed[page] += output

    def bash(self, block: str, *, shown: bool) -> str:
        return "".join(self.command(words, shown=shown) for words in commands(block))

    def command(self, words: list[str], *, shown: bool) -> str:
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        match words:
            case ["flex", name, *rest] | ["python", "-m", "flex", name, *rest]:
                return self.flex(name, rest, shown=shown)
            case ["python", script, *rest] if script.startswith("scripts/"):
                few = [] if shown else shlex.split(FEW.get(Path(script).name, ""))
                return self.script(ROOT / script, [*rest, *few])
            case ["python", script, *rest] if script.startswith("bench/"):
                check_flags(self.script(ROOT / script, ["--help"]), rest)
            case ["pip" | ".venv/bin/pip", "install", *rest]:
                check_extras(rest)
            case ["export", *rest]:
                assert all(re.fullmatch(r"(BASE_URL|API_KEY)=\S+", word) for word in rest), words
            case ["source", ".venv/bin/activate"] | ["python", "-m", "venv", ".venv"] | ["phoenix", "serve"]:
                pass
            case ["python" | ".venv/bin/python", "-m", "pytest", *_] | ["bash", ".ci/run"] | ["ruff" | "mypy", *_]:
                pass  # the suite that runs this
            case _:
                raise AssertionError(f"no test runs this command: {shlex.join(words)}")
        return ""

    def flex(self, name: str, rest: list[str], *, shown: bool) -> str:
        if name in ONLY_PARSED:
            check_flags(called(flex, [name, "--help"]), rest)
            return self.demo if name == "demo" else ""
        few = [] if shown else shlex.split(FEW.get(name, ""))
        return called(flex, [name, *("apprentice" if word == "MODEL" else word for word in rest), *few])

    def script(self, script: Path, words: list[str]) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [str(script), *("apprentice" if word == "MODEL" else word for word in words)])
            patch.syspath_prepend(str(script.parent))
            return called(lambda _: runpy.run_path(str(script), run_name="__main__") and 0, [])

    def agent(self, code: str) -> str:
        """An agent leaves threads and connections behind: it gets a process of its own; what its steps were."""
        code = self.real(code) + "\nprint(agent.memory.get_full_steps())"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def real(self, code: str) -> str:
        return code.replace("https://.../v1", self.url).replace("MODEL", "apprentice")

    def python(self, code: str, names: dict) -> str:
        compiled = compile(self.real(code), "<page>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

        def run(_: object) -> int:
            with warnings.catch_warnings():
                warnings.simplefilter("default")  # as where people run it
                if inspect.iscoroutine(result := eval(compiled, names)):
                    asyncio.run(result)
            return 0

        return called(run, [])

    def session(self, block: str) -> None:
        """A terminal: commands after `$`, below each what it prints."""
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            output = self.command(shlex.split(command), shown=True)
            assert matches(shown, output), f"$ {command}\nnow prints\n{output}"


def is_output(following: list[tuple[str, str, str]]) -> bool:
    """Whether the block below one of commands shows what they print."""
    return any(k == "text" and not m.startswith("<!-- long") and not c.startswith("$ ") for m, k, c in following)


def commands(block: str) -> Iterator[list[str]]:
    """The commands of a block, one by one."""
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        for command in " ".join(shlex.quote(word) for word in words).split(" '&&' "):
            if command:
                yield [word for word in shlex.split(command) if word != "&"]


def called(main, words: list[str]) -> str:
    """What a command prints; AssertionError when it fails."""
    out, err, code = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as ended:
            code = ended.code
    assert not code, f"{shlex.join(words)} ended with {code}: {err.getvalue()[-2000:]}"
    return out.getvalue()


def check_flags(usage: str, words: list[str]) -> None:
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in usage]
    assert not unknown, f"{unknown} not in\n{usage}"


def check_extras(words: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = re.findall(r"\.\[(.*)\]", " ".join(words))
    assert set(extras) <= set(project["project"]["optional-dependencies"]), words


def matches(shown: str, printed: str) -> bool:
    """Whether the shown lines are printed, one after the other; `...` stands for anything, alone for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"[ ]*\n"
        for line in shown.splitlines()
    )
    return re.search(rf"^{pattern}", printed, re.MULTILINE) is not None


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo run as a person starts it, at a fixed time: (what it printed, its folder)."""
    place = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "flex", "demo", "--no-telemetry"], cwd=place,
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, next((place / "runs").iterdir())


@pytest.fixture(scope="module")
def walk(demo, evaluated, url, tmp_path_factory) -> Walk:
    """All pages, read; the rows of the evaluation that docs/evaluation.md shows are there, its command goes on."""
    folder = tmp_path_factory.mktemp("reader")
    for setting in ("agent", "flex", "flex-empty", "flex-shuffled"):
        shutil.copytree(evaluated / setting, folder / "results" / "controls" / setting)
    shutil.copytree(ROOT / "data", folder / "data", ignore=shutil.ignore_patterns("AIME", "uspto50k", "gsm8k"))
    for name in ("train", "test"):
        rows = (ROOT / "data" / "retro_demo" / f"{name}.jsonl").read_text().splitlines(keepends=True)[:4]
        for fetched, content in (("uspto50k", "".join(rows)), ("AIME", '{"question": "1 + 1?", "answer": "2"}\n')):
            (folder / "data" / fetched).mkdir(exist_ok=True)
            (folder / "data" / fetched / f"{name}.jsonl").write_text(content)
    (folder / "exps").mkdir()
    shutil.copy(ROOT / "exps" / "retro_demo.json", folder / "exps")
    published = ExpLib()
    published.add(Experience(method="Count twice."))
    published.save(folder / "exps" / "aime_claude.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.chdir(folder)
        patch.setenv("BASE_URL", url)
        patch.setenv("COLUMNS", "120")
        walked = Walk(folder, url, demo[0])
        for page in PAGES:
            if page not in ELSEWHERE:
                walked.page(page)
    return walked


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ELSEWHERE])
def test_a_page_does_what_it_says(walk, page):
    assert not walk.problems[page], "\n\n".join(walk.problems[page])


def test_the_agent_of_the_readme_consults_the_library(walk):
    assert "RETRO_TEMPLATE" in walk.printed["README.md"].split("Observation", 1)[-1]


def test_the_notebook_of_the_readme_compares_three_settings(walk):
    printed = walk.printed["README.md"]
    for line in ("agent: 0%", "flex: ", "flex-shuffled: ", "flex - agent ", "flex - flex-shuffled "):
        assert re.search(f"^{re.escape(line)}", printed, re.MULTILINE), printed
    assert len(ExpLib(walk.folder / "exps" / "one.json")) >= 1


def test_a_search_shows_entries_and_a_merge_says_what_it_did(walk):
    assert walk.printed["docs/libraries.md"].count("RETRO_TEMPLATE") >= 3
    assert "{'identical': 20} " in walk.printed["docs/libraries.md"]


LONG = {
    (page, mark[len("<!-- long: ") : -len(" -->\n")]): content
    for page in PAGES
    for mark, kind, content in (match.groups() for match in BLOCK.finditer(TEXT[page]))
    if kind == "text" and mark.startswith("<!-- long: ")
}


@pytest.mark.skipif(not os.environ.get("FLEX_LONG"), reason="takes minutes: FLEX_LONG=1 runs it")
@pytest.mark.parametrize(("page", "command"), LONG)
def test_what_takes_minutes_prints_what_the_page_shows(page, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    words = [sys.executable, "-m", *shlex.split(command), "--no-telemetry"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert matches(LONG[page, command], done.stdout), done.stdout + done.stderr


# The words


@pytest.fixture(scope="module")
def usages() -> str:
    """The --help of every command."""
    names = [[name] for name in COMMANDS if name != "lib"]
    names += [["lib", name] for name in re.findall(r"^  (\w+) ", called(flex, ["lib", "--help"]), re.MULTILINE)]
    pages = [called(flex, [*name, "--help"]) for name in names]
    scripts = ("reject_sampling.py", "test_flex.py", "test_retro.py", "make_retro_demo.py", "render_picture.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "scripts"))
        for name in scripts:
            patch.setattr(sys, "argv", [name, "--help"])
            script = str(ROOT / "scripts" / name)
            pages.append(called(lambda _, script=script: runpy.run_path(script, None, "__main__"), []))
    return "\n".join(pages).replace("-", "_")


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith(("README", "docs"))])
def test_every_flag_in_the_text_of_a_page_exists(page, usages):
    text = re.sub(r"```.*?```", "", TEXT[page], flags=re.DOTALL)
    flags = [flag for code in re.findall(r"`([^`\n]+)`", text) for flag in re.findall(r"--[a-z][\w-]*", code)]
    assert not [flag for flag in flags if flag.replace("-", "_") not in usages]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", TEXT[page], flags=re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!http)([^)#\s]*)(?:#([\w-]+))?\)", text):
        file = (ROOT / page).parent / target if target else ROOT / page
        assert file.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]


def test_the_site_has_every_page():
    listed = re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_the_readme_is_a_front_door():
    assert len(TEXT["README.md"].splitlines()) <= 200
    table = TEXT["README.md"].split("## The rooms")[1].split("\n## ")[0]
    rows = "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    names = re.findall(r"`([\w./]+)`", rows)
    assert not [name for name in names if not (ROOT / "flex" / name).exists()]
    rooms = {f"{path.parent.name}/" for path in (ROOT / "flex").glob("*/__init__.py")}
    assert rooms <= set(names)


def test_the_picture_is_drawn_from_the_numbers_beside_it():
    from flex.experiments.pictures.scaling import scaling_picture
    from flex.report.canvas import WIDE

    pictures = ROOT / "docs" / "pictures"
    drawn = (pictures / "scaling.svg").read_text(encoding="utf-8")
    assert drawn == scaling_picture(json.loads((pictures / "scaling.json").read_text()), WIDE).svg(alone=True)
    assert len(drawn) <= 300_000
    ET.fromstring(drawn)


# The demo


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


def test_the_library_that_ships_is_the_one_the_demo_learns(demo):
    learned = (demo[1] / "library.json").read_bytes()
    if os.environ.get("FLEX_UPDATE_GOLDEN"):
        (ROOT / "exps" / "retro_demo.json").write_bytes(learned)
    assert learned == (ROOT / "exps" / "retro_demo.json").read_bytes()
    assert len(ExpLib(ROOT / "exps" / "retro_demo.json")) >= 10
