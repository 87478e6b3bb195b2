"""The full-text index of a SQLite library: the rankings of `flex.search.text`, by tantivy, in a folder on disk.

Nothing is ever deleted from it: a replaced entry stays, with the number of the change that made it, and search passes
over it. So scores depend on the sequence of changes alone, not on when tantivy's threads merge segments.
`index.json` says which library's index this is and how far it goes; when it does not fit, the index begins anew.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from threading import Thread, current_thread
from typing import Any

import tantivy

from flex.files.atomic import write_json
from flex.files.locks import Lock
from flex.search.disk_search import Current, Search, fields, schema, with_tokenizers
from flex.search.query import Filter, Match
from flex.types import Experience

FORMAT = 1
BATCH = 10_000
"""Entries that become durable together."""
FEW = 1_000
"""Entries up to which an update does not wait for tantivy's merges."""
HEAP = 128_000_000
"""Bytes the writer fills before it writes a segment."""
PATIENCE = 1.0
"""Seconds to wait for another process that is indexing; most are done by then, a large index is not."""


class DiskIndex:
    """An index in `folder` of the library with this id; `update` adds, `search` ranks."""

    def __init__(self, folder: Path, library: str, searcher: Any = None) -> None:
        self._folder = folder
        self._library = library
        self._searcher = searcher
        """Of a view: tantivy's searcher, which goes on seeing the index as it was."""
        self._opened: tuple[object, Any] = (None, None)
        """What `index.json` looked like when it was read, and the index that it described."""
        self._upto = 0

    @property
    def upto(self) -> int:
        """The number of the last change of the library's history that is in the index; 0 when it is empty."""
        self._index()
        return self._upto

    def update(self, upto: int, changed: Iterable[tuple[int, Experience]]) -> None:
        """Index the entries that have changed, each with the number of its change; then the index goes up to `upto`.

        Entries that are in it already are passed over. While another process is indexing, nothing happens. Raises
        OSError or, from tantivy, ValueError when the folder cannot be written.
        """
        known = self._upto
        with ExitStack() as held:
            if not held.enter_context(_alone(self._folder)) or self.upto < known:
                return
            self._opened = (None, None)  # tantivy forgets files of merges that ended after the index was opened
            index = self._index() or self._begin()
            writer, searcher = index.writer(HEAP, 1), index.searcher()
            rest, added = iter(changed), 0
            while batch := list(islice(rest, BATCH)):
                added += _add(writer, searcher, batch)
            index.reload()
            self._note(index, max(upto, self._upto))
            _follow_forks()
            merging = Thread(target=_merge, args=(writer, held.pop_all()))
            _merging.add(merging)
            merging.start()
            if added > FEW:
                merging.join()  # it takes long, and whoever adds the next one should not have to wait

    def search(self, query: str, top_k: int, wanted: Filter, current: Current) -> list[Match]:
        """The best of the wanted experiences that share anything with the query, best first, equal scores by id."""
        searcher = self._current_searcher()
        return [] if searcher is None or top_k < 1 else Search(searcher, query, wanted, current).best(top_k)

    def view(self) -> "DiskIndex":
        """The index as it is now, to search, whatever is added to it later."""
        return DiskIndex(self._folder, self._library, self._current_searcher())

    def _current_searcher(self) -> Any:
        """Tantivy's searcher; None when there is no index of this library."""
        index = self._index() if self._searcher is None else None
        return self._searcher if index is None else index.searcher()

    def _index(self) -> Any:
        """The index as it is on disk now; None when there is none of this library."""
        state = self._folder / "index.json"
        try:
            status = state.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._opened[0] != stamp:
                self._upto, index = self._open(json.loads(state.read_bytes()))
                self._opened = (stamp, index)
        except (OSError, ValueError, KeyError, TypeError):  # tantivy raises ValueError for what it cannot open
            self._upto, self._opened = 0, (None, None)
        return self._opened[1]

    def _open(self, state: Mapping[str, Any]) -> tuple[int, Any]:
        if (state["library"], state["format"]) != (self._library, FORMAT):
            raise ValueError("the index of another library")
        index = with_tokenizers(tantivy.Index.open(str(self._folder / "tantivy")))
        if index.searcher().num_docs < state["documents"]:
            raise ValueError("an older index than it says")
        return int(state["upto"]), index

    def _begin(self) -> Any:
        """An empty index, in place of what is there."""
        path = self._folder / "tantivy"
        (self._folder / "index.json").unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        self._note(with_tokenizers(tantivy.Index(schema(), path=str(path))), 0)
        return self._index()

    def _note(self, index: Any, upto: int) -> None:
        state = {"library": self._library, "format": FORMAT, "upto": upto, "documents": index.searcher().num_docs}
        write_json(self._folder / "index.json", state)


def _add(writer: Any, searcher: Any, batch: Sequence[tuple[int, Experience]]) -> int:
    """Make a batch durable, without what is there already; the number of documents that are new."""
    documents = {json.dumps([number, experience.id]): experience for number, experience in batch}
    new = [key for key in documents if not searcher.doc_freq("entry", key)]
    for key in new:
        writer.add_document(tantivy.Document(entry=key, **fields(documents[key])))
    writer.commit()
    return len(new)


def _merge(writer: Any, held: ExitStack) -> None:
    """Let the writer finish its merges before another one begins; meanwhile what it wrote is found already."""
    with held:
        writer.wait_merging_threads()
    _merging.discard(current_thread())


_merging: set[Thread] = set()


@cache
def _follow_forks() -> None:
    """End merges before every fork: the child would hold the locks of the index for as long as it lives."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_end_merging)


def _end_merging() -> None:
    for merging in list(_merging):
        merging.join()


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether this process may index now; waits up to PATIENCE for another one."""
    lock = Lock(folder / "indexer.lock")
    try:
        yield lock.take(PATIENCE)
    finally:
        lock.free()
