"""Every script as a person runs it, against the apprentice; and every way to call one wrongly."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from flex.cli import main as flex
from flex.cli.test import main_aime, main_flex, main_retro
from flex.cli.train import main as reject_sampling
from flex.explib import ExpLib
from tests.gated_apprentice import GatedApprentice

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "data" / "retro_demo"


def script(name: str, *words, url: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    command = [sys.executable, ROOT / "scripts" / name, *words, "--no-telemetry"]
    environment = {**os.environ, "BASE_URL": url}
    return subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)


def call(main, *words, url: str) -> int:
    """The same in process."""
    return main([str(word) for word in (*words, "--base_url", url, "--no-telemetry")])


def test_training_writes_a_library_and_a_run_folder(trained):
    library = ExpLib(trained / "library.json")
    assert 3 <= len(library) <= 12
    config = json.loads((trained / "run" / "config.json").read_text())
    assert config["models"]["actor"] == "apprentice"
    assert len(config["prompts"]["verifier"]) == 64
    events = [json.loads(line)["event"] for line in (trained / "run" / "events.jsonl").read_text().splitlines()]
    assert events.count("explored") == 12
    assert events[-1] == "finished"


def test_the_same_training_gives_the_same_experiences(trained, url, tmp_path, capsys):
    assert call(
        reject_sampling, "--task_type", "retro", "--data_path", DEMO / "train.jsonl", "--max_samples", "12",
        "--store_path", tmp_path / "library.json", "--run_dir", tmp_path / "run", "--llm_model", "apprentice",
        "--max_rounds", "2", "--max_rollouts", "1", "--batch_size", "12", url=url,
    ) == 0  # fmt: skip
    assert "solved" in capsys.readouterr().out
    assert [e.id for e in ExpLib(tmp_path / "library.json")] == [e.id for e in ExpLib(trained / "library.json")]


def test_a_learned_library_beats_none(trained, url, tmp_path):
    common = ["--model", "apprentice", "--data_path", DEMO / "test.jsonl", "--samples", "15"]
    assert call(main_retro, *common, "--results_dir", tmp_path / "agent", url=url) == 0
    learned = script(
        "test_retro.py", *common, "--results_dir", tmp_path / "flex", "--retrieve",
        "--memory_path", trained / "library.json", url=url,
    )  # fmt: skip
    assert learned.returncode == 0, learned.stderr
    scores = {name: json.loads((tmp_path / name / "summary.json").read_text()) for name in ("agent", "flex")}
    assert (scores["agent"]["setting"], scores["flex"]["setting"]) == ("agent", "flex")
    assert scores["agent"]["correct"] == 0
    assert scores["flex"]["correct"] >= 2
    assert scores["flex"]["usage_by_role"]["retriever"]["calls"] > 0
    assert (tmp_path / "flex" / "0.txt").read_text().startswith("## Question")
    assert json.loads((tmp_path / "flex_process" / "0.json").read_text())["steps"]
    assert "accuracy" in learned.stdout


def test_flex_takes_folders_of_data_and_of_libraries(trained, url, tmp_path):
    (tmp_path / "libraries").mkdir()
    (tmp_path / "libraries" / "one.json").write_bytes((trained / "library.json").read_bytes())
    done = script(
        "test_flex.py", "--task_type", "retro", "--actor", "apprentice", "--memory_path", tmp_path / "libraries",
        "--data_path", DEMO, "--split", "train", "--samples", "3", "--max_concurrent", "3", "--pass_at_n", "2",
        "--results_dir", tmp_path / "results", url=url,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "results" / "summary.json").read_text())
    assert (summary["n"], summary["repeats"], summary["setting"]) == (3, 2, "flex")
    assert "pass@2" in summary


def test_the_apprentice_says_that_it_cannot_do_mathematics(url, tmp_path):
    (tmp_path / "test.jsonl").write_text('{"question": "What is 1 + 1?", "answer": "2"}\n')
    common = ["--model", "apprentice", "--data_path", tmp_path, "--results_dir"]
    done = script("test_aime.py", *common, tmp_path / "vanilla", "--no-use_actor", url=url)
    assert done.returncode == 0, done.stderr
    assert call(main_aime, *common, tmp_path / "agent", "--use_actor", url=url) == 0
    for setting in ("vanilla", "agent"):
        assert "cannot do mathematics" in (tmp_path / setting / "0.txt").read_text()


def test_the_textbook_apprentice_knows_something_from_the_start(url, tmp_path):
    assert call(
        main_retro, "--model", "apprentice-textbook", "--data_path", DEMO, "--no-use_actor",
        "--results_dir", tmp_path / "results", url=url,
    ) == 0  # fmt: skip
    assert json.loads((tmp_path / "results" / "summary.json").read_text())["correct"] >= 3


def test_ctrl_c_keeps_everything_and_says_how_to_go_on(tmp_path):
    events = tmp_path / "run" / "events.jsonl"
    with GatedApprentice(lambda: events.exists() and events.read_text().count("decided") >= 3) as slow:
        command = [
            sys.executable, ROOT / "scripts" / "reject_sampling.py", "--task_type", "retro", "--no-telemetry",
            "--data_path", DEMO / "train.jsonl", "--store_path", tmp_path / "library.json", "--batch_size", "2",
            "--run_dir", tmp_path / "run", "--llm_model", "apprentice", "--max_rollouts", "1", "--max_rounds", "1",
        ]  # fmt: skip
        started = subprocess.Popen(
            [str(word) for word in command], env={**os.environ, "BASE_URL": slow.url}, stderr=subprocess.PIPE, text=True
        )
        message = slow.interrupt(started)
    assert started.returncode == 130
    assert f"--out {tmp_path / 'run'} goes on from here" in message
    assert "Traceback" not in message
    assert len(ExpLib(tmp_path / "library.json")) >= 1


def wrong(capsys, main, *words) -> str:
    """The one line a wrong call ends in."""
    try:
        code = main([str(word) for word in words])
    except SystemExit as stopped:  # argparse
        code = stopped.code
    shown = capsys.readouterr()
    assert code == 2, shown.err
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err
    return shown.err


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


TRAIN = ["--task_type", "retro", "--llm_model", "m"]


def test_without_an_address_a_run_says_what_to_set(capsys, here):
    assert "BASE_URL" in wrong(capsys, reject_sampling, *TRAIN, "--data_path", DEMO / "train.jsonl")
    assert list(here.iterdir()) == []


def test_nobody_listening_is_one_line(capsys, here):
    line = wrong(capsys, main_retro, "--model", "m", "--data_path", DEMO, "--base_url", "http://127.0.0.1:9/v1")
    assert "127.0.0.1:9" in line
    assert list(here.iterdir()) == []


def test_a_missing_split_is_named(capsys, here):
    assert "nowhere.jsonl does not exist" in wrong(capsys, reject_sampling, *TRAIN, "--data_path", "nowhere.jsonl")
    assert "test.jsonl does not exist" in wrong(capsys, main_aime, "--model", "m")


def test_an_empty_split_is_named(capsys, here):
    (here / "empty.jsonl").write_text("\n")
    assert "empty.jsonl holds no tasks" in wrong(capsys, reject_sampling, *TRAIN, "--data_path", "empty.jsonl")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "line 2: not valid JSON"),
        ("[]", "line 2: a row has to be an object"),
        ('{"question": "C"}', "line 2: 'answer' is missing"),
        ('{"question": "", "answer": "C"}', "line 2: 'question' is missing, empty"),
        ('{"question": "\\ud800", "answer": "C"}', "line 2: 'question' holds half of a surrogate pair"),
        ('{"question": "C", "answer": "not a molecule"}', "line 2: 'not a molecule' is not the SMILES"),
    ],
)
def test_a_malformed_row_is_named_with_its_line(capsys, here, row, message):
    (here / "data.jsonl").write_text('{"question": "CCO", "answer": "C=C.O"}\n' + row + "\n")
    assert message in wrong(capsys, reject_sampling, *TRAIN, "--data_path", "data.jsonl")


def test_a_file_that_is_no_library_is_left_alone(capsys, here, url):
    (here / "notes.json").write_text("[1, 2]")
    common = ["--data_path", DEMO / "train.jsonl", "--base_url", url]
    assert "notes.json" in wrong(capsys, reject_sampling, *TRAIN, *common, "--store_path", "notes.json")
    assert "notes.json" in wrong(capsys, reject_sampling, *TRAIN, *common, "--load_path", "notes.json")
    assert "notes.json" in wrong(
        capsys, main_flex, "--task_type", "retro", "--actor", "m", "--data_path", DEMO, "--memory_path", "notes.json"
    )
    assert (here / "notes.json").read_text() == "[1, 2]"


def test_a_library_that_exists_is_not_trained_over_by_accident(capsys, here, url, trained):
    before = (trained / "library.json").read_bytes()
    line = wrong(
        capsys, reject_sampling, *TRAIN, "--data_path", DEMO / "train.jsonl", "--base_url", url,
        "--store_path", trained / "library.json",
    )  # fmt: skip
    assert "--library" in line
    assert (trained / "library.json").read_bytes() == before


def test_retrieval_without_a_library_says_so(capsys, here):
    common = ["--task_type", "retro", "--actor", "m", "--data_path", DEMO]
    assert "exps/retro_claude.json is not there: `flex download` fetches it" in wrong(capsys, main_flex, *common)
    assert "exps/retro_claude.json is not there" in wrong(
        capsys, main_retro, "--model", "m", "--retrieve", "--data_path", DEMO
    )


def test_the_published_library_and_split_are_taken_where_none_is_named(capsys, here, url, trained):
    for path, source in (
        ("exps/retro_claude.json", trained / "library.json"),
        ("data/uspto50k/test.jsonl", DEMO / "test.jsonl"),
        ("data/uspto50k/train.jsonl", DEMO / "train.jsonl"),
    ):
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_bytes(source.read_bytes())
    online = ["--samples", "2", "--base_url", url, "--no-telemetry"]
    for main, words in ((main_flex, ["--task_type", "retro", "--actor"]), (main_retro, ["--retrieve", "--model"])):
        assert main([*words, "apprentice", *online, "--results_dir", words[-1].strip("-")]) == 0
        assert "calls " in capsys.readouterr().out
        config = json.loads((here / words[-1].strip("-") / "config.json").read_text())
        assert config["library"]["path"] == "exps/retro_claude.json"
        assert config["temperature"] == 0.0


def test_missing_data_names_the_way_to_get_it(capsys, here):
    assert "flex download" in wrong(capsys, main_aime, "--model", "m")
    assert "flex download" in wrong(capsys, main_flex, "--task_type", "gsm8k", "--actor", "m", "--no-retrieve")
    assert "proteingym.org" in wrong(capsys, main_flex, "--task_type", "protein", "--actor", "m", "--no-retrieve")


def test_a_prompt_with_an_unknown_variable_is_named_before_anything_is_paid_for(capsys, here, url):
    (here / "mine.txt").write_text("Judge {{ everything }}.")
    common = ["--data_path", DEMO / "train.jsonl", "--base_url", url]
    line = wrong(capsys, reject_sampling, *TRAIN, *common, "--verifier_prompt", "mine.txt")
    assert "everything" in line
    line = wrong(capsys, reject_sampling, *TRAIN, *common, "--verifier_prompt", "missing.txt")
    assert "missing.txt" in line
    assert sorted(p.name for p in here.iterdir()) == ["mine.txt"]


def test_results_of_another_run_are_not_mixed(capsys, here, url):
    common = ["--data_path", DEMO, "--no-use_actor", "--samples", "1", "--results_dir", "out", "--base_url", url]
    assert main_retro(["--model", "apprentice", *map(str, common), "--no-telemetry"]) == 0
    capsys.readouterr()
    before = {p.name: p.read_bytes() for p in (here / "out").iterdir()}
    line = wrong(capsys, main_retro, "--model", "apprentice-textbook", *common)
    assert "of another run" in line
    assert "choose another folder" in line
    assert {p.name: p.read_bytes() for p in (here / "out").iterdir()} == before


def test_an_unknown_model_is_one_line(capsys, here, url):
    words = ["--model", "gpt-none", "--data_path", str(DEMO), "--base_url", url, "--no-telemetry", "--out", "new"]
    assert main_retro(words) == 3
    said = capsys.readouterr().err
    assert said.startswith("stopped: no model 'gpt-none' at ")
    assert said.count("\n") == 1
    assert not Path("new").exists()


def test_an_unknown_benchmark_is_refused(capsys):
    line = wrong(capsys, reject_sampling, "--task_type", "chess", "--data_path", "x", "--llm_model", "m")
    assert line.startswith("error: argument --benchmark: invalid choice: 'chess' (choose from ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--temperature", "nan"], "'nan' is not a number from 0"),
        (["--temperature", "inf"], "'inf' is not a number from 0"),
        (["--temperature", "7"], "'7' is not a number from 0 to 2"),
        (["--reasoning_effort", "hgih"], "invalid choice: 'hgih'"),
        (["--temperature=-1"], "'-1' is not a number from 0"),
        (["--timeout", "0"], "'0' is not a number above 0"),
        (["--timeout=-5"], "'-5' is not a number above 0"),
        (["--requests_per_minute=-1"], "'-1' is not a number above 0"),
        (["--tokens_per_minute", "0"], "'0' is not a whole number from 1"),
        (["--max_connections", "many"], "'many' is not a whole number from 1"),
        (["--max_usd", "nan"], "'nan' is not a number above 0"),
        (["--extra_body", "{"], "not valid JSON"),
        (["--extra_body", "[]"], "not a JSON object"),
        (["--extra_body", '{"top_p": NaN}'], "not valid JSON"),
        (["--extra_body", '{"user": "\\ud800"}'], "not valid JSON"),
        (["--extra_body", '{"model": "x"}'], "'model' is set by flex itself and cannot be replaced"),
        (["--extra_body", '{"stream": true}'], "'stream' is set by flex itself"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(capsys, words, message):
    line = wrong(capsys, reject_sampling, *TRAIN, "--data_path", "x", *words)
    assert line.startswith(f"error: argument {words[0].split('=')[0]}: ")
    assert message in line
    assert line.endswith("(see --help)\n")


def test_a_command_without_its_flags_is_refused_in_one_line(capsys):
    assert "required: --model" in wrong(capsys, main_aime)
    assert "required: --model" in wrong(capsys, main_flex, "--task_type", "retro", "--data_path", "x")
    assert "unrecognized arguments: --gold" in wrong(capsys, flex, "download", "--gold")


def test_a_folder_as_the_store_is_refused(capsys, here, url):
    (here / "libraries").mkdir()
    common = ["--data_path", DEMO / "train.jsonl", "--base_url", url]
    line = wrong(capsys, reject_sampling, *TRAIN, *common, "--store_path", "libraries")
    assert "--save_to libraries is a folder; it has to be a file" in line


def test_a_library_that_would_not_be_read_is_refused(capsys, here):
    line = wrong(capsys, main_retro, "--model", "m", "--data_path", DEMO, "--memory_path", "mine.json")
    assert "--library mine.json is read only with --retrieve: add --retrieve" in line


def test_keys_in_the_extra_body_are_not_written_down(here, url):
    common = ["--data_path", str(DEMO / "train.jsonl"), "--base_url", url, "--max_samples", "1", "--max_rollouts", "1"]
    common += ["--run_dir", "run", "--no-telemetry", "--extra_body", '{"api_key": "sk-secret"}']
    assert reject_sampling(["--task_type", "retro", "--llm_model", "apprentice", *common]) == 0
    assert len(json.loads((here / "run" / "config.json").read_text())["extra_body"]) == 64
    assert not any(b"sk-secret" in path.read_bytes() for path in here.rglob("*.*") if path.is_file())


@pytest.mark.parametrize(("main", "prog"), [(reject_sampling, []), (flex, ["train"])])
def test_the_help_of_train_names_the_command_that_was_called(capsys, monkeypatch, main, prog):
    monkeypatch.setattr(sys, "argv", ["flex" if prog else "scripts/reject_sampling.py"])
    with pytest.raises(SystemExit):
        main([*prog, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: {'flex train' if prog else 'reject_sampling.py'} ")


def test_the_apprentice_says_where_it_is_and_what_it_serves():
    command = [sys.executable, "-m", "flex", "apprentice", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        first = started.stdout.readline()
        urllib.request.urlopen(first.split()[0] + "/models", timeout=300).close()  # answered once it is warm
        started.send_signal(signal.SIGINT)
    assert re.fullmatch(
        r"http://127\.0\.0\.1:\d+/v1  \(models: apprentice, apprentice-textbook, .*; Ctrl-C ends it\)\n", first
    )
    assert started.returncode == 130


def test_an_apprentice_that_cannot_be_is_refused_in_one_line(capsys, url):
    taken = url.split(":")[-1].removesuffix("/v1")
    assert f"cannot serve on port {taken}: " in wrong(capsys, flex, "apprentice", "--port", taken)
    assert "'99999' is not a whole number from 0 to 65535" in wrong(capsys, flex, "apprentice", "--port", "99999")
    assert "'-1' is not a number from 0" in wrong(capsys, flex, "apprentice", "--latency", "-1")


def test_every_task_failing_is_a_failed_run(capsys, here):
    from tests.fake_endpoint import Answer, Endpoint

    with Endpoint(default=Answer(400, {"error": {"message": "content policy"}})) as endpoint:
        words = ["--base_url", endpoint.url, "--max_retries", "0", "--no-telemetry"]
        code = reject_sampling([*TRAIN, "--data_path", str(DEMO / "train.jsonl"), "--max_samples", "3", *words])
        assert code == 1
        assert "every task failed; the first: " in capsys.readouterr().out
        code = main_retro(["--model", "m", "--no-use_actor", "--data_path", str(DEMO), "--samples", "2", *words])
    assert code == 1
    assert "2 of 2 failed" in capsys.readouterr().out


def test_the_overview_names_every_command(capsys):
    assert flex([]) == 2
    assert flex(["--help"]) == 0
    assert "apprentice" in capsys.readouterr().out
    assert "no command 'dance'; choose from demo, train, eval, " in wrong(capsys, flex, "dance")


@pytest.mark.parametrize("name", ["reject_sampling", "test_aime", "test_retro", "test_flex", "download_data"])
def test_help_is_quick(name):
    """Counted in modules, which does not depend on the machine: none of the heavy ones is imported."""
    code = (
        "import sys, runpy; sys.argv = ['x', '--help']\n"
        f"try: runpy.run_path({str(ROOT / 'scripts' / (name + '.py'))!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print({'openai', 'smolagents', 'rdkit', 'pydantic', 'opentelemetry', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("set()"), done.stdout[-300:] + done.stderr


def test_importing_flex_does_nothing():
    code = (
        "import sys, flex; print({'openai', 'smolagents', 'rdkit', 'pydantic', 'jinja2', 'numpy'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
