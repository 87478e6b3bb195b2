"""The full-text index of a SQLite library, in a folder beside it, brought up to date before a search."""

import logging
import os
import shutil
import tempfile
import time
import weakref
from pathlib import Path
from threading import Lock

from flex.errors import LibraryError
from flex.library.stores.numbered import NumberedEntries
from flex.search.disk_index import DiskIndex
from flex.search.query import Filter, Match

log = logging.getLogger(__name__)


class TextIndex:
    """The full-text index of a library in a folder; `library` is the id by which the index knows it."""

    def __init__(self, entries: NumberedEntries, library: str) -> None:
        self.entries, self._library = entries, library
        self._path = entries.database.path
        self._folder = Path(f"{os.path.realpath(self._path)}.index")
        self._index: DiskIndex | None = None
        self._process = 0
        self._is_view = False
        self._refreshing = Lock()

    def search(self, query: str, top_k: int, wanted: Filter) -> list[Match]:
        """The entries that match best, among them those that another process has just written."""
        for mend in (self._move, None) if self.entries.database.frozen else (self._discard, self._move, None):
            try:
                self.refresh()
                return self._opened().search(query, top_k, wanted, current=self.entries.numbers)
            except (OSError, ValueError) as error:  # tantivy raises ValueError for what it cannot read or write
                if mend is None:
                    raise LibraryError(f"cannot search {self._path}: its index fails: {error}") from error
                mend(error)
        raise AssertionError("the last way returns or raises")

    def refresh(self, since: int | None = None) -> int:
        """Index what has changed (since change `since`, if given); returns the number of the last change in it."""
        with self._refreshing:
            index = self._opened()
            if self._is_view:
                return index.upto
            upto, latest = index.upto, self.entries.last_number()  # in this order, or the index may seem ahead
            if upto > latest and not self.entries.database.frozen:
                self._discard("it knows more changes than the library")
            if not self.entries.database.changing:  # what is not yet written may never be
                self._update(index, latest, since)
            return index.upto

    def view(self) -> "TextIndex":
        """The index for a view: it has every revision of the view, and nothing is added to it."""
        try:
            since = self.refresh()
            view = TextIndex(self.entries.view(), self._library)
            if view.refresh(since) >= view.entries.last_number():
                view._index, view._is_view = view._opened().view(), True
        except (OSError, ValueError):
            return TextIndex(self.entries.view(), self._library)  # it will be mended when it is searched
        return view

    def _update(self, index: DiskIndex, latest: int, since: int | None) -> None:
        """Index what has changed, or wait for another process that is doing so."""
        until = time.monotonic() + self.entries.database.timeout
        while index.upto < latest or since is not None:
            index.update(latest, self.entries.changed(index.upto if since is None else since))
            since = None
            if time.monotonic() > until:
                return log.warning("%s is being made by another process; what is new is not found yet", self._folder)

    def close(self) -> None:
        """Let go of the files."""
        self._index = None

    def _opened(self) -> DiskIndex:
        if self._index is None or self._process != os.getpid():
            self._index, self._process = DiskIndex(self._folder, self._library), os.getpid()
            if not self._index.upto and (self._folder / "index.json").exists():
                log.warning("%s does not match %s and is made again", self._folder, self._path)
        return self._index

    def _discard(self, why: object) -> None:
        """Let the index begin anew."""
        log.warning("%s is made again: %s", self._folder, why)
        try:
            (self._folder / "index.json").unlink(missing_ok=True)
        except OSError:
            self._move(why)

    def _move(self, why: object) -> None:
        """Make an index for this process alone."""
        self._folder, self._index, self._is_view = Path(tempfile.mkdtemp(prefix="flex-index-")), None, False
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        log.warning("%s is searched by an index of this process alone: %s", self._path, why)
