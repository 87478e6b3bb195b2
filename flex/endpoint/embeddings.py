"""Vectors of texts from any OpenAI-compatible `/v1/embeddings` endpoint.

Off unless a library asks for it: `config["embeddings"] = {"model": ..., "dimensions": ...}`. It is meant for prose: of
SMILES sentence embeddings know nothing, and fusing them with text there drops recall@1 from .79 to .33.
"""

import base64
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.concurrency import run_blocking
from flex.endpoint.calls import Call, Embedded
from flex.endpoint.client import RateLimitedLLMClient, current_client
from flex.endpoint.dialects import parse_usage
from flex.endpoint.failures import Failure, failure_within, shorten
from flex.errors import SettingsError
from flex.text import valid_utf8

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

ROLE = "embeddings"
LONGEST = 8_000
"""Characters of a text that are embedded; the rest of a longer one is not read."""
BATCH = 128
BATCH_CHARACTERS = 100_000
"""At most so much in one request; endpoints refuse more than about 300,000 tokens."""
CHARACTERS_PER_TOKEN = 2
"""Fewer than nearly every text has: no batch is larger than a limit of tokens per minute."""
_TABLE = """
CREATE TABLE IF NOT EXISTS vectors (
    model TEXT, dimensions INTEGER, text BLOB, vector BLOB, PRIMARY KEY (model, dimensions, text)
) WITHOUT ROWID"""
PATIENCE = 30.0
"""Seconds to wait for another process that writes."""


class Embedder:
    """A model that turns texts into unit vectors; without `dimensions` those of its first answer.

    It asks through `client`, else through that of the run under way, which paces, budgets and counts these calls like
    any other; outside of a run it makes one from the environment. `cache` is a file that several processes may share.
    """

    def __init__(
        self,
        model: str,
        client: RateLimitedLLMClient | None = None,
        *,
        dimensions: int | None = None,
        cache: Path | None = None,
    ) -> None:
        self.model = model
        self.dimensions = dimensions
        self._options = {"dimensions": dimensions} if dimensions else {}
        self._own_client = client
        self._cache = VectorCache(cache, model, dimensions) if cache else None

    @property
    def client(self) -> RateLimitedLLMClient:
        """The client that is asked. Raises SettingsError when it has to be made and there are no settings."""
        if self._own_client is None and (client := current_client()) is not None:
            return client
        self._own_client = self._own_client or RateLimitedLLMClient()
        return self._own_client

    def vectors(self, texts: Sequence[str]) -> "Array":
        """The unit vectors of the texts, float32, shape (n, d); each different text is asked for once.

        Raises what a client's `complete` raises, EndpointError for vectors of other dimensions than there were, and
        SettingsError when the cache cannot be used.
        """
        import numpy as np

        clipped = [_clipped(text) for text in texts]
        different = list(dict.fromkeys(clipped))
        found = self._cache.get(different) if self._cache else {}
        self.dimensions = self.dimensions or next((len(vector) for vector in found.values()), None)
        found = {text: vector for text, vector in found.items() if len(vector) == self.dimensions}
        if new := [text for text in different if text not in found]:
            found |= run_blocking(lambda: self._embedded(new))
        return np.stack([found[text] for text in clipped]) if clipped else np.zeros((0, self.dimensions or 0), "<f4")

    async def _embedded(self, texts: Sequence[str]) -> "dict[str, Array]":
        """The vectors of these texts; each batch is kept as soon as it is there."""
        client = self.client
        room = min(BATCH_CHARACTERS, CHARACTERS_PER_TOKEN * (client.tokens_per_minute or BATCH_CHARACTERS))
        found: dict[str, Array] = {}
        for batch in _batches(texts, room):
            answer = await client.ask(self._call(batch))
            new = dict(zip(batch, answer.vectors, strict=True))
            if self._cache:
                self._cache.put(new)
            found |= new
        return found

    def _call(self, texts: Sequence[str]) -> Call[Embedded]:
        return Call(
            ROLE,
            self.model,
            "/embeddings",
            {"input": list(texts), "encoding_format": "base64"},
            self._options,
            characters=sum(map(len, texts)),
            read=lambda body, _: self._checked(body, len(texts)),
            kind="embedding model",
            completes=False,
        )

    def _checked(self, body: Any, count: int) -> Embedded | Failure:
        """The unit vectors of an answer, in the order of the texts; a Failure when it holds others."""
        import numpy as np

        if isinstance(body, dict) and body.get("error"):
            return failure_within(body["error"])
        try:
            places = [place if item.get("index") is None else item["index"] for place, item in enumerate(body["data"])]
            rows = {place: _vector(item["embedding"]) for place, item in zip(places, body["data"], strict=True)}
        except (TypeError, KeyError, ValueError, AttributeError):
            return Failure(200, f"an answer without vectors: {shorten(body, 120)}")
        if len(places) != count or rows.keys() != set(range(count)):
            return _unusable(f"{len(places)} vectors for {count} texts, numbered {places[:5]}")
        self.dimensions = self.dimensions or len(rows[0])
        if wrong := [len(row) for row in rows.values() if len(row) != self.dimensions]:
            return _unusable(f"vectors of {wrong[0]} dimensions, not {self.dimensions}")
        vectors = np.stack([rows[place] for place in range(count)])
        if not np.isfinite(vectors).all():
            return _unusable("vectors that are not finite")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Array = (vectors / np.where(lengths > 0, lengths, 1)).astype("<f4")
        return Embedded(unit, parse_usage(body.get("usage")))


def _unusable(message: str) -> Failure:
    """An answer that would be the same another time."""
    return Failure(200, message, should_retry=False)


def _clipped(text: str) -> str:
    """What is sent of a text: endpoints refuse empty ones, JSON cannot hold half a character."""
    return valid_utf8(text[:LONGEST]) if text.strip() else "-"


def _batches(texts: Sequence[str], room: float) -> Iterator[list[str]]:
    """The texts in lists of at most `BATCH` texts and `room` characters, or of one longer text."""
    batch: list[str] = []
    for text in texts:
        if batch and (len(batch) == BATCH or sum(map(len, batch)) + len(text) > room):
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def _vector(written: object) -> "Array":
    """A vector from base64 of little-endian float32, or from a list of numbers. Raises TypeError or ValueError."""
    import numpy as np

    if isinstance(written, str):
        vector = np.frombuffer(base64.b64decode(written, validate=True), "<f4")
    else:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is found out
            vector = np.array(written, "<f4")
    if vector.ndim != 1 or not len(vector):
        raise ValueError("no vector")
    return vector.astype(float)


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
