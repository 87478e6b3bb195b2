"""Vectors that were paid for once, in one SQLite file that several processes may use at the same time."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.errors import SettingsError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

_TABLE = """
CREATE TABLE IF NOT EXISTS vectors (
    model TEXT, dimensions INTEGER, text BLOB, vector BLOB, PRIMARY KEY (model, dimensions, text)
) WITHOUT ROWID"""
PATIENCE = 30.0
"""Seconds to wait for another process that writes."""


class VectorCache:
    """The vectors of one model and number of dimensions, by sha256 of the text.

    The file is opened for each call and closed again, so that threads and forks may share a cache. All methods raise
    SettingsError when the file cannot be used.
    """

    def __init__(self, path: Path, model: str, dimensions: int | None) -> None:
        self.path = Path(path)
        self._kind = (model, dimensions or 0)

    def get(self, texts: Sequence[str]) -> dict[str, "Array"]:
        """The vectors that are there, by text."""
        import numpy as np

        query = "SELECT vector FROM vectors WHERE model = ? AND dimensions = ? AND text = ?"
        found: dict[str, Array] = {}
        with self._open() as connection:
            for text in texts:
                for (vector,) in connection.execute(query, (*self._kind, _hash(text))):
                    found[text] = np.frombuffer(vector, "<f4")
        return found

    def put(self, vectors: Mapping[str, "Array"]) -> None:
        """Keep these vectors, all of them or none."""
        rows = [(*self._kind, _hash(text), vector.astype("<f4").tobytes()) for text, vector in vectors.items()]
        with self._open() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)) as connection:
                connection.execute(_TABLE)
                yield connection
        except sqlite3.Error as error:
            raise SettingsError(f"cannot use {self.path} as a cache of vectors: {error}; delete or move it") from error


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
