"""Who may write a file: a lock file beside it, held by one process, that says who holds it."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from flex.errors import LibraryError
from flex.files.clock import now

if sys.platform != "win32":
    import fcntl


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold `path` against other writers; the lock goes with the process, so what a killed one left behind is stale.

    Raises LibraryError, at once, naming who holds it.
    """
    path = Path(os.path.realpath(path))
    lock = path.with_name(f".{path.name}.lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = _locked(lock)
    except OSError as error:
        raise LibraryError(f"cannot write to {path.parent}: {error.strerror}") from error
    if file is None:
        raise LibraryError(f"{path} is being written by {_holder(lock)}; wait for it, or write to another file")
    try:
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now()}).encode())
        file.flush()
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
        file.close()


def _locked(lock: Path) -> BinaryIO | None:
    """The lock file, open, emptied and locked; None when another process has it."""
    while True:
        file = open(lock, "a+b")  # noqa: SIM115 - locked as long as it is open
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(lock), os.fstat(file.fileno())):
                file.truncate(0)
                return file
        file.close()  # who held it before has removed it meanwhile


def _holder(lock: Path) -> str:
    try:
        who = json.loads(lock.read_bytes())
        return f"process {who['pid']} on {who['host']} since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"  # it has just taken the lock, or just let go of it
