"""One JSON line per event; a torn last line is dropped; a folder belongs to one run."""

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from flex.errors import RunError
from flex.files.atomic import json_bytes, write_atomically, write_json
from flex.files.runlog import JsonLines, RunLog, decode, run_config, to_jsonable
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


def test_a_logged_value_of_another_kind_is_an_error_that_names_the_field():
    with pytest.raises(RunError, match="logged Task cannot be read back: question"):
        decode(Task, {"id": "1"})


def test_a_killed_process_loses_no_event(tmp_path):
    program = (
        f"import os; from flex.files.runlog import RunLog; RunLog({str(tmp_path)!r}).write('seen', n=1); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 9
    assert [event["n"] for event in RunLog(tmp_path).events()] == [1]


@pytest.mark.parametrize("torn", [b'{"n": 2', b'{"n": 2}', b"\xf0\x9f"])
def test_a_torn_last_line_is_dropped_before_the_next_row(tmp_path, torn):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 1}\n' + torn)
    assert list(JsonLines(path)) == [{"n": 1}]
    with JsonLines(path) as rows:
        rows.append({"n": 3})
    assert path.read_bytes() == b'{"n": 1}\n{"n": 3}\n'


def test_a_broken_line_in_the_middle_is_not_dropped_silently(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n":\n{"n": 3}\n')
    with pytest.raises(RunError, match=r"rows\.jsonl, line 2: not valid JSON"):
        list(JsonLines(path))


def test_a_line_that_is_no_object_is_an_error(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"[1]\n")
    with pytest.raises(RunError, match="line 1: not an object"):
        list(JsonLines(path))


def test_rows_appended_from_many_threads_stay_whole(tmp_path):
    with JsonLines(tmp_path / "rows.jsonl") as rows, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: rows.append({"n": n, "text": "x" * 5000}), range(200)))
    assert sorted(row["n"] for row in rows) == list(range(200))


def test_a_text_that_utf8_cannot_hold_comes_back(log):
    log.write("said", text="half a \ud83d face, 中文")
    assert log.events()[0]["text"] == "half a \ud83d face, 中文"


def test_a_value_json_does_not_know_is_logged_as_its_text(log):
    log.write("failed", error=ValueError("no"), path=log.folder, seen={1}, numbers={1: (2,)})
    assert to_jsonable(RunError("no")) == "no"
    assert log.events()[0]["error"] == "no"
    assert log.events()[0]["seen"] == [1]
    assert log.events()[0]["numbers"] == {"1": [2]}


@pytest.mark.skipif(sys.platform == "win32", reason="needs flock, so any system but Windows")
def test_two_writers_of_one_file_are_refused(tmp_path):
    with JsonLines(tmp_path / "rows.jsonl") as first:
        first.append({"n": 1})
        with pytest.raises(RunError, match="being written by another process"):
            JsonLines(tmp_path / "rows.jsonl").append({"n": 2})
    assert list(first) == [{"n": 1}]


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


def test_an_atomic_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file.json"
    write_json(path, {"old": True})

    def full(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        write_json(path, {"new": True})
    assert os.listdir(tmp_path) == ["file.json"]
    assert json.loads(path.read_text()) == {"old": True}


def test_an_atomic_write_keeps_links_and_permissions(tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "real.json").chmod(0o600)
    (tmp_path / "link.json").symlink_to("real.json")
    write_atomically(tmp_path / "link.json", b"new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"
    assert stat.S_IMODE((tmp_path / "real.json").stat().st_mode) == 0o600


def test_json_is_readable_as_it_stands():
    assert json_bytes({"中": 1.5}) == '{"中": 1.5}'.encode()
    assert json_bytes("\ud83d") == b'"\\ud83d"'
