"""The store that belongs to a path, and how a library gets from one to the other."""

import logging
import os
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from flex.errors import LibraryError
from flex.files.locks import held
from flex.library.file import LibraryFile, read_folder, read_library, write_library
from flex.library.stores.memory import MemoryStore

if TYPE_CHECKING:
    from flex.library.stores.sqlite import SqliteStore

Store = Union[MemoryStore, "SqliteStore"]

DEFAULT_CONFIG: dict[str, Any] = {"retrieval_weights": {"golden": 1.0, "warning": 0.8, "mixed": 0.9}}
JSON_ENTRIES = 10_000
"""A JSON library beyond this is slow to load and to save; SQLite is not."""
_DATABASE = (".db", ".sqlite", ".sqlite3")
log = logging.getLogger(__name__)


def is_database(path: Path) -> bool:
    """Whether the path names a SQLite library, by its suffix."""
    return path.suffix.lower() in _DATABASE


def open_store(path: Path | None, created_at: str, *, create: bool = False) -> Store:
    """The library at `path`: a JSON file, a SQLite database, a folder of JSON files; an empty one for None.

    With `create` a new one where there is nothing: a database at once, a JSON file when it is saved. Raises
    LibraryError for what is none of these.
    """
    empty = LibraryFile((), created_at, deepcopy(DEFAULT_CONFIG))
    if path is None:
        return MemoryStore(empty)
    new = create and not (path.exists() and path.stat().st_size)
    if path.is_dir():
        return MemoryStore(read_folder(path))
    if is_database(path):
        from flex.library.stores.sqlite import SqliteStore

        return SqliteStore.create(path, empty) if new else SqliteStore.open(path)
    store = MemoryStore(empty if new else read_library(path))
    _equals_file(store, path)
    return store


def save_store(store: Store, path: Path, *, is_held: bool = False) -> Store:
    """Write all of a library to `path`; returns the store at that path. Raises LibraryError, the path as it was."""
    if is_database(path):
        from flex.library.stores.sqlite import SqliteStore

        if isinstance(store, SqliteStore) and same_file(store.path, path):
            store.keep_settings()
            return store
        return SqliteStore.create(path, store.file())
    file = store.file()
    with nullcontext() if is_held else held(path):
        _check_target(store, path)
        write_library(path, file)
    if (number := len(file.experiences)) > JSON_ENTRIES:
        advice = "%s holds %d entries; a SQLite library is quicker from here on: flex lib export %s %s"
        log.warning(advice, path, number, path, path.with_suffix(".db"))
    if isinstance(store, MemoryStore):
        _equals_file(store, path)
    return store


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths name the same file, however they are spelled."""
    return os.path.realpath(one) == os.path.realpath(other)


def stamp(path: Path) -> tuple[int, ...]:
    """What changes when somebody else writes the file; nothing where there is none."""
    if not path.exists():
        return ()
    status = path.stat()
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def _equals_file(store: MemoryStore, path: Path) -> None:
    store.read_from, store.vectors = (path, stamp(path)), path.with_name(f".{path.name}.vectors")


def _check_target(store: Store, path: Path) -> None:
    """Refuse to write over what is no library, and over changes that somebody else has made meanwhile."""
    if not path.exists() or not path.stat().st_size:
        return
    read_from = store.read_from if isinstance(store, MemoryStore) else None
    known = read_from is not None and same_file(read_from[0], path)
    if known and read_from and read_from[1] == stamp(path):
        return
    read_library(path)
    if known:
        raise LibraryError(
            f"{path} was changed by somebody else since it was read; save to another path and join them: flex lib merge"
        )
