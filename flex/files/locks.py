"""Who may write: a lock file that one process holds at a time. When that process ends, killed or not, it is free."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import IO

from flex.errors import LibraryError
from flex.files.clock import now

if sys.platform != "win32":
    import fcntl

_POLL = 0.01
"""Seconds between two attempts, where the system has no queue for those who wait (Windows)."""


class Lock:
    """A file that one `Lock` of all threads and processes can hold at a time; it is made where there is none.

    What is locked is its first byte: on Windows nobody else can read that one meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def take(self, timeout: float = 0.0) -> bool:
        """Hold the file, after waiting at most `timeout` seconds; False when another one holds it all that time.

        Nothing changes where this one holds it already. Raises OSError where it cannot be written.
        """
        if self._file is not None:
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + timeout
        while True:
            with ExitStack() as stack:  # the file is locked as long as it is open
                file = stack.enter_context(open(self.path, "a+b", buffering=0))
                if not _locked(file.fileno(), until - time.monotonic()):
                    return False
                if self._is_still(file):
                    self._file = file
                    stack.pop_all()
                    return True

    def free(self, *, remove: bool = False) -> None:
        """Let the next one have it. `remove` deletes it, which is not for a file that others wait for."""
        if self._file is None:
            return
        file, self._file = self._file, None
        if sys.platform == "win32":
            file.close()  # an open file cannot be deleted there, so neither can one that the next one has taken
        if remove:
            with suppress(OSError):
                self.path.unlink()
        file.close()

    def write(self, note: bytes) -> None:
        """Let the file that is held say this, behind its first byte; see `read`."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.write(b" " + note)

    def read(self) -> bytes:
        """What its holder has written. Raises OSError."""
        with open(self.path, "rb", buffering=0) as file:
            file.seek(1)
            return file.read()

    def _is_still(self, file: IO[bytes]) -> bool:
        """Whether the file is what its path names: who held it before may have deleted it meanwhile."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold `path` by a lock file beside it that says who does. Raises LibraryError, at once, naming who holds it."""
    path = Path(os.path.realpath(path))
    lock = beside(path)
    try:
        taken = lock.take()
    except OSError as error:
        raise LibraryError(f"cannot write to {path.parent}: {error.strerror}") from error
    if not taken:
        raise LibraryError(f"{path} is being written by {_holder(lock)}; wait for it, or write to another file")
    try:
        lock.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now()}).encode())
        yield
    finally:
        lock.free(remove=True)


def beside(path: Path) -> Lock:
    """The lock of a file that is itself read by others, or replaced, while it is held."""
    return Lock(path.with_name(f".{path.name}.lock"))


def _locked(descriptor: int, timeout: float) -> bool:
    """Whether the open file could be locked."""
    from filelock import lock_descriptor  # here, because most commands write nothing

    if lock_descriptor(descriptor, blocking=False):
        return True
    if sys.platform != "win32" and timeout > 0:
        # Asleep in the system, which wakes those who wait in turn: who asks now and then is passed by busier writers
        # for ever. In a thread, because only a thread can be left.
        waiting = Thread(target=fcntl.flock, args=(descriptor, fcntl.LOCK_EX), daemon=True)
        waiting.start()
        waiting.join(timeout)
        return lock_descriptor(descriptor, blocking=False)  # no change, if the thread has it
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        time.sleep(_POLL)
        if lock_descriptor(descriptor, blocking=False):
            return True
    return False


def _holder(lock: Lock) -> str:
    try:
        who = json.loads(lock.read())
        return f"process {who['pid']} on {who['host']} since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"  # it has just taken the lock, or just let go of it
