"""A SQLite file that many threads and processes read and write: nothing that was acknowledged is lost.

Beside `x.db` are `x.db-wal` and `x.db-shm`, SQLite's own, which belong to the database as long as they are there, and
`x.db-lock`, empty, which whoever writes holds locked.
"""

import os
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from itertools import pairwise
from pathlib import Path
from threading import RLock
from typing import Any

from flex.errors import LibraryError
from flex.files.locks import Lock
from flex.library.stores.mounts import refuse_network

TIMEOUT = 30.0
"""Seconds to wait for another writer."""
_SETTINGS = "PRAGMA synchronous = FULL; PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY"
_PROBLEMS = {
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_PERM: "it may not be read",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is not a SQLite database",
}
_NO_WAY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)
_databases: "weakref.WeakSet[Database]" = weakref.WeakSet()
Rows = list[tuple[Any, ...]]


class Database:
    """One connection to a SQLite file, for all threads of this process; it follows a fork.

    Raises LibraryError, here and in every method, for what SQLite cannot do, and after `timeout` seconds of waiting.
    """

    def __init__(self, path: Path, timeout: float = TIMEOUT, *, frozen: bool = False) -> None:
        self.path, self.timeout, self.frozen = path, timeout, frozen
        self._open: list[sqlite3.Connection] = []
        self.changing = False
        """Whether a transaction is under way that may be undone; others than its own thread may not ask."""
        self._lost = False
        self._writing, self._using = RLock(), RLock()  # taken in this order
        _follow_forks()
        _databases.add(self)
        weakref.finalize(self, _close_all, self._open)
        refuse_network(path)
        if frozen:
            self.rows("BEGIN")
            self.rows("SELECT 1 FROM sqlite_master")  # only reading begins the view

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """All rows of a query."""
        with self._using:
            try:
                return self._connection().execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise self._named(error) from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is in it is on disk afterwards, or, after any exception, undone; one at a time on this machine."""
        with self._turn(), self._using:
            if self.changing:  # part of the one around it
                yield
                return
            try:
                self.changing = True
                self.rows("BEGIN IMMEDIATE")
                yield
                self.rows("COMMIT")
            except BaseException:
                with suppress(LibraryError):  # SQLite undoes some by itself, as on a full disk
                    self.rows("ROLLBACK")
                raise
            finally:
                self.changing = False

    def view(self) -> "Database":
        """The database as it is now, to read, while others write."""
        return Database(self.path, self.timeout, frozen=True)

    def close(self) -> None:
        """Close the connection; it opens again when it is needed, but for a frozen one."""
        with self._using:
            self._lost = self.frozen
            _close_all(self._open)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for other writers, of this process and of others: SQLite's own waiting is not fair."""
        if not self._writing.acquire(timeout=self.timeout):
            raise self._busy()
        with ExitStack() as stack:
            stack.callback(self._writing.release)
            if not self.changing:
                lock = Lock(Path(f"{self.path}-lock"))
                stack.callback(lock.free)
                try:
                    taken = lock.take(self.timeout)
                except OSError as error:
                    raise LibraryError(f"cannot write {self.path}: {error.strerror}; nothing was changed") from error
                if not taken:
                    raise self._busy()
            yield

    def _connection(self) -> sqlite3.Connection:
        if self._lost:
            raise LibraryError(f"this view of {self.path} is closed; a view does not outlive a fork or its library")
        if not self._open:
            self._open.append(self._connect())
        return self._open[0]

    def _connect(self) -> sqlite3.Connection:
        if not self.path.exists():
            way_out = f"ExpLib({str(self.path)!r}, create=True) begins a new one"
            raise LibraryError(f"no experience library at {self.path}; {way_out}")
        for way, next_way in pairwise((*self._ways(), None)):
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?{way}",
                uri=True,
                timeout=self.timeout,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            try:
                connection.executescript(_SETTINGS + ("; PRAGMA query_only = ON" if self.frozen else ""))
                connection.execute("SELECT 1 FROM sqlite_master").fetchone()
                return connection
            except BaseException as error:
                connection.close()
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NO_WAY or not next_way:
                    raise
        raise AssertionError("the last way returns or raises")

    def _ways(self) -> Iterator[str]:
        """How to open the file: where no log can be made beside it, it is read as it stands."""
        if os.access(self.path, os.W_OK):
            yield "mode=rw"
        yield "mode=ro"
        log = Path(f"{self.path}-wal")
        if not os.access(log.parent, os.W_OK) and not (log.exists() and log.stat().st_size):
            yield "mode=ro&immutable=1"

    def _named(self, error: sqlite3.Error) -> LibraryError:
        """What SQLite could not do, in words."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return self._busy()
        problem = _PROBLEMS.get(code, "SQLite refuses")
        return LibraryError(f"{self.path}: {problem} ({error}); nothing was changed")

    def _busy(self) -> LibraryError:
        return LibraryError(
            f"{self.path} has been held by another program for {self.timeout:g} s; end it, or wait, and try again"
        )

    # SQLite keeps its file locks in memory that a fork copies but the system does not honour in the child: a child that
    # opened the file again would write unlocked. So nothing is open during a fork.
    def _before_fork(self) -> None:
        self._writing.acquire()
        self._using.acquire()
        if not self.frozen and not self.changing:
            _close_all(self._open)

    def _after_fork(self, *, child: bool) -> None:
        if child and self._open:
            self._lost = True
            if self.frozen:  # a reader has nothing to undo: closing takes nothing from the parent
                _close_all(self._open)
            _kept_for_ever.extend(self._open)
            self._open.clear()
        self._using.release()
        self._writing.release()


_kept_for_ever: list[sqlite3.Connection] = []
"""Connections of a parent that was writing when it forked: closing them here would undo what it writes."""


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()


@cache
def _follow_forks() -> None:
    if not hasattr(os, "register_at_fork"):
        return
    forking: list[Database] = []

    def before() -> None:
        forking[:] = _databases
        for database in forking:
            database._before_fork()

    def after(child: bool) -> None:
        for database in forking:
            database._after_fork(child=child)
        forking.clear()

    os.register_at_fork(
        before=before, after_in_parent=lambda: after(child=False), after_in_child=lambda: after(child=True)
    )
