"""The full-text index of a SQLite library: the same two rankings as `flex.search`, by tantivy, in a folder on disk.

Nothing is ever deleted from it: a replaced entry stays, with the number of the change that made it, and search passes
over it. So scores depend on the sequence of changes alone, not on when tantivy's threads merge segments.
`index.json` says which library's index this is and how far it goes; when it does not fit, the index begins anew.
"""

import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from flex.atomic import write_json
from flex.search import GRAM, Found, Wanted, bounded, normalised, searchable, stem, unmarked, why, words
from flex.types import Experience

if sys.platform != "win32":
    import fcntl

FORMAT = 1
BATCH = 10_000
"""Entries that become durable together."""
HEAP = 128_000_000
"""Bytes the writer fills before it writes a segment."""
PATIENCE = 1.0
"""Seconds to wait for another process that is indexing; it will be done soon, or its index is large."""
POSTINGS = 100_000
"""Postings that are read for a query in each ranking, those of its rarest terms first."""
POOL = 50
"""Entries of each ranking that are compared, at least."""
LARGEST_POOL = 100_000
FIELDS = ("words", "grams")
Current = Callable[[Sequence[str]], Mapping[str, int]]
"""From ids to the number of the change that made each entry what it is now; those that are removed are left out."""


class _Pool(NamedTuple):
    """The leaders of one ranking: by id the share of the best score that they have, and what the rest has at most."""

    scores: dict[str, float]
    rest: float


class DiskIndex:
    """An index in `folder` of the library with this id; `update` adds, `search` ranks."""

    def __init__(self, folder: Path, library: str) -> None:
        self._folder = folder
        self._library = library
        self._opened: tuple[object, Any] = (None, None)
        """What `index.json` looked like, and the index as it was then."""
        self._upto = 0

    @property
    def upto(self) -> int:
        """The number of the last change of the library's history that is in the index; 0 when it is empty."""
        self._index()
        return self._upto

    def update(self, upto: int, changed: Iterable[tuple[int, Experience]]) -> None:
        """Index the entries that have changed, each with the number of its change; then the index goes up to `upto`.

        What is in the index already is passed over. When another process is indexing, nothing happens.
        """
        known = self._upto
        with ExitStack() as held:
            if not held.enter_context(_alone(self._folder)) or self.upto < known:
                return
            index = self._index() or self._begin()
            writer, searcher = index.writer(HEAP, 1), index.searcher()
            for batch in _batches(changed):
                self._add(writer, searcher, batch)
            index.reload()
            self._note(index, max(upto, self._upto))
            Thread(target=_merge, args=(writer, held.pop_all())).start()

    def search(self, query: str, top_k: int, wanted: Wanted, current: Current) -> list[Found]:
        """The best of the wanted experiences, at most `top_k` of those that share anything with the query.

        Best first, equal scores by id.
        """
        index = self._index()
        return [] if index is None or top_k < 1 else _Search(index.searcher(), query, wanted, current).best(top_k)

    def pinned(self) -> "DiskIndex":
        """The index as it is now, whatever is added to it later."""
        return _Pinned(self._folder, self._library, self._index())

    def _index(self) -> Any:
        """The index as it is on disk now; None when there is none of this library."""
        state = self._folder / "index.json"
        try:
            status = state.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._opened[0] != stamp:
                self._upto, index = self._open(json.loads(state.read_bytes()))
                self._opened = (stamp, index)
        except (OSError, ValueError, KeyError, TypeError):  # tantivy raises ValueError for whatever it cannot open
            self._upto, self._opened = 0, (None, None)
        return self._opened[1]

    def _open(self, state: Mapping[str, Any]) -> tuple[int, Any]:
        if (state["library"], state["format"]) != (self._library, FORMAT):
            raise ValueError("the index of another library")
        index = _with_tokenizers(_tantivy().Index.open(str(self._folder / "tantivy")))
        if index.searcher().num_docs < state["documents"]:
            raise ValueError("an older index than it says")
        return int(state["upto"]), index

    def _begin(self) -> Any:
        """An empty index, in place of whatever is there."""
        path = self._folder / "tantivy"
        (self._folder / "index.json").unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        self._note(_with_tokenizers(_tantivy().Index(_schema(), path=str(path))), 0)
        return self._index()

    def _add(self, writer: Any, searcher: Any, batch: Sequence[tuple[int, Experience]]) -> None:
        documents = {json.dumps([number, experience.id]): experience for number, experience in batch}
        for key, experience in documents.items():
            if not searcher.doc_freq("entry", key):
                writer.add_document(_tantivy().Document(entry=key, **_fields(experience)))
        writer.commit()

    def _note(self, index: Any, upto: int) -> None:
        state = {"library": self._library, "format": FORMAT, "upto": upto, "documents": index.searcher().num_docs}
        write_json(self._folder / "index.json", state)


class _Pinned(DiskIndex):
    """An index as it was when this was made, to search."""

    def __init__(self, folder: Path, library: str, index: Any) -> None:
        super().__init__(folder, library)
        self._searcher = index and index.searcher()

    def _index(self) -> Any:
        return self._searcher and self

    def searcher(self) -> Any:
        """As tantivy's index."""
        return self._searcher


class _Search:
    """One query: which documents lead each ranking, without those that are stale or hidden."""

    def __init__(self, searcher: Any, query: str, wanted: Wanted, current: Current) -> None:
        self._searcher = searcher
        self._wanted = wanted
        self._current = current
        plain = _plain(query)
        terms = (_stems(plain), _grams(unmarked(plain)))
        self._queries = [self._query(field, those) for field, those in zip(FIELDS, terms, strict=True)]

    def best(self, top_k: int) -> list[Found]:
        """The leaders of both rankings by the mean of their scores, each divided by its ranking's best."""
        pools = [self._pool(query, top_k) for query in self._queries]
        shares = {one: [pool.scores.get(one, pool.rest) for pool in pools] for pool in pools for one in pool.scores}
        found = [Found(one, round(sum(both) / len(both), 5), why(both)) for one, both in shares.items()]
        return sorted(found, key=lambda one: (-one.score, one.id))[:top_k]

    def _pool(self, query: Any, top_k: int) -> _Pool:
        """The leaders of one ranking; where equal ones would be cut apart, without or with all of them."""
        size = max(POOL, 2 * top_k)
        while True:
            hits = self._searcher.search(self._filtered(query), size, count=False).hits
            least = round(hits[-1][0], 4) if len(hits) == size < LARGEST_POOL else 0.0
            scores = self._admitted([hit for hit in hits if round(hit[0], 4) > least])
            if len(scores) >= top_k or not least:
                most = max(scores.values(), default=1.0)
                return _Pool({one: score / most for one, score in scores.items()}, least / most)
            size *= 4

    def _admitted(self, hits: Sequence[tuple[float, Any]]) -> dict[str, float]:
        """The scores of the entries that these documents are, of those that are not stale or hidden."""
        found = [(*json.loads(self._searcher.doc(address)["entry"][0]), score) for score, address in hits]
        numbers = self._current([one for _, one, _ in found])
        hidden = self._wanted.hidden
        return {one: score for number, one, score in found if number == numbers.get(one) and one not in hidden}

    def _query(self, field: str, terms: Sequence[str]) -> Any:
        """The rarest of the terms, up to POSTINGS together; each as often as the query says it."""
        repeats = Counter(terms)
        appearances = {term: self._searcher.doc_freq(field, term) for term in repeats}
        query, total = _tantivy().Query, 0
        chosen: list[tuple[Any, Any]] = []
        for term in sorted(filter(appearances.get, repeats), key=lambda term: (appearances[term], term)):
            total += appearances[term]
            if chosen and total > POSTINGS:
                break
            one = query.term_query(_schema(), field, term, "freq")
            one = query.boost_query(one, float(repeats[term])) if repeats[term] > 1 else one
            chosen.append((_tantivy().Occur.Should, one))
        return query.boolean_query(chosen)

    def _filtered(self, query: Any) -> Any:
        filters = list(_filters(self._wanted))
        must = _tantivy().Occur.Must
        return _tantivy().Query.boolean_query([(must, one) for one in (query, *filters)]) if filters else query


def _filters(wanted: Wanted) -> Iterator[Any]:
    query = _tantivy().Query
    for field, names in (("zone", wanted.zones), ("category", wanted.categories)):
        if names is not None:
            yield query.const_score_query(query.term_set_query(_schema(), field, list(map(json.dumps, names))), 0.0)
    if wanted.min_priority > 0:
        whole = _tantivy().FieldType.Integer
        bounds = bounded(wanted.min_priority), 2**31
        yield query.const_score_query(query.range_query(_schema(), "priority", whole, *bounds), 0.0)


def _fields(experience: Experience) -> dict[str, Any]:
    plain = _plain(searchable(experience))
    return {
        "zone": json.dumps(experience.zone),
        "category": json.dumps(experience.problem_category),
        "priority": bounded(experience.priority),
        "words": " ".join(_stems(plain)),
        "grams": unmarked(plain),
    }


def _plain(text: str) -> str:
    """The normal form of a text, without what UTF-8 cannot hold."""
    return normalised(text).encode("utf-8", "replace").decode()


_stem = lru_cache(maxsize=100_000)(stem)


def _stems(plain: str) -> list[str]:
    return list(map(_stem, words(plain)))


def _grams(text: str) -> list[str]:
    return [text[start : start + GRAM] for start in range(len(text) - GRAM + 1)]


def _merge(writer: Any, held: ExitStack) -> None:
    """Let the writer finish its merges before another one begins; meanwhile what it wrote is found already."""
    with held:
        writer.wait_merging_threads()


def _batches(changed: Iterable[tuple[int, Experience]]) -> Iterator[list[tuple[int, Experience]]]:
    rest = iter(changed)
    while batch := list(islice(rest, BATCH)):
        yield batch


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether this is the one that indexes; waits for another one up to PATIENCE."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "indexer.lock", "ab") as file:
        yield _locked(file.fileno())


def _locked(descriptor: int) -> bool:
    until = time.monotonic() + PATIENCE
    while sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
    return True


@cache
def _tantivy() -> Any:
    import tantivy  # here, because only libraries in a database need it

    return tantivy


@cache
def _schema() -> Any:
    builder = _tantivy().SchemaBuilder()
    builder.add_text_field("entry", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("zone", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("category", tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("priority", indexed=True)
    builder.add_text_field("words", tokenizer_name="words", index_option="freq")
    builder.add_text_field("grams", tokenizer_name="grams", index_option="freq")
    return builder.build()


def _with_tokenizers(index: Any) -> Any:
    tokenizer, build = _tantivy().Tokenizer, _tantivy().TextAnalyzerBuilder
    index.register_tokenizer("words", build(tokenizer.whitespace()).build())
    index.register_tokenizer("grams", build(tokenizer.ngram(GRAM, GRAM, False)).build())
    return index
