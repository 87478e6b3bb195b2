"""Entries changed since change n, so that an index can catch up.

The number of an entry is that of its last change, plus one: 1 is for entries from before the first change, and 0 for an
index that is empty.
"""

import json
from collections.abc import Collection, Iterator, Sequence

from flex.library.stores.database import Database
from flex.library.stores.tables import key_of, read_experience
from flex.types import Experience

PAGE = 256
"""Rows read at a time: between pages others may write."""


class NumberedEntries:
    """The entries of a SQLite library, by number."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def view(self) -> "NumberedEntries":
        """The entries of a view of the database, made now."""
        return NumberedEntries(self.database.view())

    def last_number(self) -> int:
        """The number of an entry that the last change was about."""
        return 1 + int(self.database.rows("SELECT coalesce(max(number), 0) FROM changes")[0][0])

    def count(self) -> int:
        """How many there are."""
        return int(self.database.rows("SELECT sum(entries) FROM zones")[0][0])

    def changed(self, since: int) -> Iterator[tuple[int, Experience]]:
        """The entries with higher numbers than `since`, in the order in which they were changed."""
        page = "SELECT number, rowid, entry FROM entries WHERE (number, rowid) > (?, ?) ORDER BY number, rowid LIMIT ?"
        last = (since - 1, 2**62)
        while rows := self.database.rows(page, (*last, PAGE)):
            for number, row, entry in rows:
                yield number + 1, read_experience(self.database.path, entry)
                last = (number, row)

    def touched(self, since: int) -> list[str]:
        """The ids of the entries that were changed since, removed ones included."""
        return [row[0] for row in self.database.rows("SELECT DISTINCT entry FROM changes WHERE number >= ?", (since,))]

    def numbers(self, ids: Sequence[str]) -> dict[str, int]:
        """The number of each of these entries that is there."""
        these = f"SELECT id, number + 1 FROM entries WHERE id IN ({_GIVEN})"
        found: dict[str, int] = dict(self.database.rows(these, (_given(ids),)))
        keys = {one: key_of(one) for one in ids}
        return {one: found[key] for one, key in keys.items() if key in found}

    def get(self, ids: Collection[str]) -> list[Experience]:
        """Those of these entries that are there."""
        these = f"SELECT entry FROM entries WHERE id IN ({_GIVEN}) ORDER BY id"
        return [read_experience(self.database.path, entry) for (entry,) in self.database.rows(these, (_given(ids),))]


_GIVEN = "SELECT value FROM json_each(?)"


def _given(ids: Collection[str]) -> str:
    return json.dumps([key_of(one) for one in ids])
