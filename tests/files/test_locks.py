"""One holder at a time, in threads and processes; a lock that nobody holds is free, whatever became of its holder."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from flex.errors import LibraryError
from flex.files import locks
from flex.files.locks import Lock, beside, held

HOLDER = """
import sys, time
from pathlib import Path
from flex.files.locks import Lock
lock = Lock(Path(sys.argv[1]))
assert lock.take()
lock.write(b'{}')
print("held", flush=True)
time.sleep(600)
"""


@contextmanager
def other_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until it is killed."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_a_lock_has_one_holder_at_a_time(tmp_path: Path):
    one, other = Lock(tmp_path / "new" / "lock"), Lock(tmp_path / "new" / "lock")
    assert one.take()
    assert one.take()
    assert not other.take()
    assert not other.take(timeout=0.05)
    one.free()
    one.free()
    assert other.take()
    other.free()


def test_the_lock_of_a_process_that_was_killed_is_free(tmp_path: Path):
    lock = Lock(tmp_path / "lock")
    with other_process(lock.path) as process:
        assert not lock.take(timeout=0.05)
        process.kill()
        assert lock.take(timeout=300)
    lock.free(remove=True)
    assert list(tmp_path.iterdir()) == []


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path):
    first, second, taken = Lock(tmp_path / "lock"), Lock(tmp_path / "lock"), []
    first.take()
    waiting = Thread(target=lambda: taken.append(second.take(timeout=300)))
    waiting.start()
    first.free()
    waiting.join()
    assert taken == [True]
    second.free()


def test_busy_holders_do_not_pass_by_those_who_wait(tmp_path: Path):
    """Who takes the lock again as soon as it is free would keep it for ever from who only asks now and then."""
    busy, patient, turns = Lock(tmp_path / "lock"), Lock(tmp_path / "lock"), []

    def hold_again_and_again() -> None:
        while not turns:
            assert busy.take(timeout=300)
            time.sleep(0.005)
            busy.free()

    thread = Thread(target=hold_again_and_again)
    thread.start()
    for _ in range(10):
        assert patient.take(timeout=300)
        patient.free()
    turns.append(True)
    thread.join()


def test_a_file_that_its_holder_deletes_is_not_taken_for_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first, second, third = (Lock(tmp_path / "lock") for _ in range(3))
    first.take()
    locked = locks._locked

    def freed_meanwhile(descriptor: int, timeout: float) -> bool:
        first.free(remove=True)
        return locked(descriptor, timeout)

    monkeypatch.setattr(locks, "_locked", freed_meanwhile)
    assert second.take()
    assert not third.take()
    second.free(remove=True)


def test_a_path_that_is_held_names_its_holder(tmp_path: Path):
    with held(tmp_path / "a.json"):
        expected = r"another process" if sys.platform == "win32" else rf"process {os.getpid()} on .* since "
        with pytest.raises(LibraryError, match=rf"a\.json is being written by {expected}"), held(tmp_path / "a.json"):
            pass
    assert list(tmp_path.iterdir()) == []


def test_a_holder_that_has_not_yet_said_who_it_is_is_another_process(tmp_path: Path):
    lock = beside(tmp_path / "a.json")
    lock.take()
    with pytest.raises(LibraryError, match="being written by another process"), held(tmp_path / "a.json"):
        pass
    lock.free()


def test_what_a_killed_holder_left_behind_is_no_holder(tmp_path: Path):
    beside(tmp_path / "a.json").path.write_text('{"pid": 1, "host": "elsewhere", "since": "then"}')
    with held(tmp_path / "a.json"):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(LibraryError, match=r"cannot write to .*file: "), held(tmp_path / "file" / "a.json"):
        pass
