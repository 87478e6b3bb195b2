"""One JSON line per event; a torn last line is dropped; a folder belongs to one run."""

import json
import subprocess
import sys

import pytest

from flex.errors import RunError
from flex.files.jsonlines import decode, to_jsonable
from flex.files.runlog import RunLog, run_config
from flex.types import Attempt, Experience, Exploration, Hit, Retrieval, Rule, Task, Trajectory, UpdateDecision, Verdict

TASK = Task("math-1", "What is 6 x 7? \u2028 \U0001f600", "42", 3)
TRAJECTORY = Trajectory(TASK).extended(
    Attempt(
        "it is 42", "42", retrievals=(Retrieval("q", (Hit("e1", 0.5, "rule", 1, 0),), "text"),), steps=({"code": "1"},)
    ),
    Verdict(True, "good", True, 1.0),
)
EXPERIENCE = Experience("method", (Rule("rule", ("a", "b")), Rule("other")), provenance={"tasks": ["t"]})


@pytest.fixture
def log(tmp_path):
    with RunLog(tmp_path / "run") as log:
        yield log


@pytest.mark.parametrize(
    "value",
    [
        TASK,
        TRAJECTORY,
        EXPERIENCE,
        UpdateDecision("merge", "e1", (0, 2)),
        Exploration(TASK, (TRAJECTORY,), (EXPERIENCE,)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_value_comes_back_equal(log, value):
    log.write("made", value=value)
    (event,) = log.events()
    assert decode(type(value), event["value"]) == value


def test_events_keep_their_order_and_can_be_chosen_by_name(log):
    for number in range(3):
        log.write("odd" if number % 2 else "even", number=number)
    assert [event["number"] for event in log.events()] == [0, 1, 2]
    assert [event["number"] for event in log.events("even")] == [0, 2]
    assert "time" in log.events()[0]


def test_a_run_that_wrote_nothing_has_no_events(log):
    assert log.events() == []
    assert not log.folder.exists()


def test_a_killed_process_loses_no_event(tmp_path):
    program = (
        f"import os; from flex.files.runlog import RunLog; RunLog({str(tmp_path)!r}).write('seen', n=1); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 9
    assert [event["n"] for event in RunLog(tmp_path).events()] == [1]


def test_a_text_that_utf8_cannot_hold_comes_back(log):
    log.write("said", text="half a \ud83d face, 中文")
    assert log.events()[0]["text"] == "half a \ud83d face, 中文"


def test_a_value_json_does_not_know_is_logged_as_its_text(log):
    log.write("failed", error=ValueError("no"), path=log.folder, seen={1}, numbers={1: (2,)})
    assert to_jsonable(RunError("no")) == "no"
    assert log.events()[0]["error"] == "no"
    assert log.events()[0]["seen"] == [1]
    assert log.events()[0]["numbers"] == {"1": [2]}


def config(**settings):
    return run_config(**{"models": {"actor": "m"}, "prompts": {"verifier": "ab12"}, "seed": 0, **settings})


def test_a_new_folder_gets_the_configuration(log):
    assert log.start(config(limits={"max_rounds": 5})) is False
    written = json.loads((log.folder / "config.json").read_text())
    assert written["limits"] == {"max_rounds": 5}
    assert written["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert written["versions"]["rdkit"]


def test_the_same_configuration_resumes_whatever_the_free_keys_say(log):
    log.start(config(pacing={"concurrency": 20}, created_at="1999"))
    before = (log.folder / "config.json").read_bytes()
    assert log.start(config(pacing={"concurrency": 5})) is True
    assert (log.folder / "config.json").read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "seed was 0, is now 1"),
        ({"models": {"actor": "other"}}, 'models.actor was "m", is now "other"'),
        ({"prompts": {"verifier": "ab12", "critic": "cd"}}, 'prompts.critic was not set, is now "cd"'),
        ({"prompts": {}}, 'prompts.verifier was "ab12", is now not set'),
    ],
)
def test_a_folder_of_another_run_is_refused_and_untouched(log, changed, message):
    log.start(config())
    before = (log.folder / "config.json").read_bytes()
    with pytest.raises(RunError) as refusal:
        log.start(config(**changed))
    assert message in str(refusal.value)
    assert (log.folder / "config.json").read_bytes() == before


def test_a_configuration_that_cannot_be_read_is_not_empty(log):
    log.folder.mkdir()
    (log.folder / "config.json").write_text("{")
    with pytest.raises(RunError, match=r"cannot read .*config\.json"):
        log.start(config())


def test_events_without_a_configuration_are_of_another_run(log):
    log.write("seen")
    with pytest.raises(RunError, match=r"no config\.json"):
        log.start(config())


def test_a_file_where_the_folder_should_be_is_one_clear_line(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunError, match="cannot write to"):
        RunLog(tmp_path / "run").start(config())
    assert (tmp_path / "run").read_text() == "mine"


@pytest.mark.parametrize(
    "damaged",
    ['{"event": "explored"}', '{"event": "explored", "exploration": 3, "epoch": 0}', '{"event": "decided"}', "{}"],
)
def test_an_event_that_a_run_cannot_go_on_from_is_named_by_its_line(tmp_path, damaged):
    from flex.training.session import _logged

    (tmp_path / "events.jsonl").write_text(f'{{"event": "finished"}}\n{damaged}\n')
    with pytest.raises(RunError, match=r"events\.jsonl, line 2: "):
        RunLog(tmp_path).read(_logged)


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such modes there")
def test_a_runs_folder_is_its_owners_alone(tmp_path):
    (tmp_path / "shared").mkdir(mode=0o755)
    for name, mode in (("new", 0o700), ("shared", 0o755)):
        with RunLog(tmp_path / name) as log:
            log.start({"seed": 1})
        assert (tmp_path / name).stat().st_mode & 0o777 == mode
