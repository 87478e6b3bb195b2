"""Vectors of texts from any OpenAI-compatible `/v1/embeddings` endpoint, and exact search among them.

Off unless a library asks for it: `config["embeddings"] = {"model": ..., "dimensions": ...}`. It is meant for prose: of
SMILES sentence embeddings know nothing, and fusing them with text there drops recall@1 from .79 to .33.
"""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flex.endpoint.connection import find_address, find_key, shown
from flex.endpoint.dialects import decode, parse_failure, shorten
from flex.endpoint.usage import charge
from flex.endpoint.vector_cache import VectorCache
from flex.errors import EndpointError, FlexError, SettingsError
from flex.text import valid_utf8
from flex.types import Usage

if TYPE_CHECKING:
    import numpy as np
    import openai

    Array = np.ndarray[Any, np.dtype[Any]]

ROLE = "embeddings"
LONGEST = 8_000
"""Characters of a text that are embedded; the rest of a longer one is not read."""
BATCH = 128
BATCH_CHARACTERS = 100_000
"""At most so much in one request; endpoints refuse more than about 300,000 tokens."""


class Embedder:
    """A model that turns texts into unit vectors; without `dimensions` those of its first answer.

    The address and key come from the arguments, else from the environment, as for every call; the SDK does the retries.
    `cache` is a file that several processes may share. Raises SettingsError when there is no usable address or key.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        dimensions: int | None = None,
        cache: Path | None = None,
        max_retries: int = 5,
        timeout: float = 120,
    ) -> None:
        self.model = model
        self.base_url = find_address(base_url)
        self.dimensions = dimensions
        self._key = find_key(api_key)
        self._asked = dimensions
        """What the request asks for; nothing once the model has refused to choose."""
        self._cache = VectorCache(cache, model, dimensions) if cache else None
        self._max_retries, self._timeout = max_retries, timeout
        self._sdk: openai.OpenAI | None = None

    def vectors(self, texts: Sequence[str]) -> "Array":
        """The unit vectors of the texts, float32, shape (n, d); each different text is asked for once.

        Raises EndpointError when the endpoint fails for good or answers with something else, SettingsError when it
        refuses the key or the cache cannot be used.
        """
        import numpy as np

        clipped = [_clipped(text) for text in texts]
        different = list(dict.fromkeys(clipped))
        found = self._cache.get(different) if self._cache else {}
        self.dimensions = self.dimensions or next((len(vector) for vector in found.values()), None)
        found = {text: vector for text, vector in found.items() if len(vector) == self.dimensions}
        for batch in _batches([text for text in different if text not in found]):
            new = dict(zip(batch, self._ask(batch), strict=True))
            if self._cache:
                self._cache.put(new)
            found |= new
        return np.stack([found[text] for text in clipped]) if clipped else np.zeros((0, self.dimensions or 0), "<f4")

    def _ask(self, texts: Sequence[str]) -> "Array":
        import openai

        body: dict[str, Any] = {"model": self.model, "input": list(texts), "encoding_format": "base64"}
        if self._asked:
            body["dimensions"] = self._asked
        try:
            keyless = {} if self._key else {"Authorization": openai.Omit()}
            answer = self._client().embeddings.with_raw_response.create(**body, extra_headers=keyless)
            said = decode(answer.content, answer.text)
        except openai.APIStatusError as error:
            if self._asked and error.status_code in (400, 422) and _about_dimensions(error):
                self._asked = None  # a model with one size only; whether it is ours is checked below
                return self._ask(texts)
            raise self._refused(error) from error
        except openai.OpenAIError as error:
            raise self._error(f"{error} ({error.__cause__})" if error.__cause__ else error) from error
        except ValueError as error:
            raise self._error(f"an answer that is not JSON ({error})") from error
        return self._checked(said, len(texts))

    def _checked(self, said: Any, count: int) -> "Array":
        """The unit vectors of an answer, in the order of the texts. Raises EndpointError when it holds others."""
        import numpy as np

        try:
            places = [place if item.get("index") is None else item["index"] for place, item in enumerate(said["data"])]
            rows = {place: _vector(item["embedding"]) for place, item in zip(places, said["data"], strict=True)}
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise self._error(f"an answer without vectors: {said}") from error
        if len(places) != count or rows.keys() != set(range(count)):
            raise self._error(f"{len(places)} vectors for {count} texts, numbered {places[:5]}")
        self.dimensions = self.dimensions or len(rows[0])
        if wrong := [len(row) for row in rows.values() if len(row) != self.dimensions]:
            raise self._error(f"vectors of {wrong[0]} dimensions, not {self.dimensions}")
        vectors = np.stack([rows[place] for place in range(count)])
        if not np.isfinite(vectors).all():
            raise self._error("vectors that are not finite")
        charge(ROLE, Usage(calls=1, prompt_tokens=_tokens(said)))
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Array = (vectors / np.where(lengths > 0, lengths, 1)).astype("<f4")
        return unit

    def _client(self) -> "openai.OpenAI":
        if self._sdk is None:
            import openai

            self._sdk = openai.OpenAI(
                api_key=self._key or "none",
                base_url=self.base_url,
                max_retries=self._max_retries,
                timeout=self._timeout,
            )
        return self._sdk

    def _refused(self, error: "openai.APIStatusError") -> FlexError:
        failure = parse_failure(error.status_code, error.body, error.response.headers)
        if failure.no_such_key:
            return SettingsError(f"{shown(self.base_url)} refused the API key for '{self.model}'; check API_KEY")
        return self._error(failure)

    def _error(self, problem: object) -> EndpointError:
        said = str(problem).replace(self._key, "***") if self._key else str(problem)
        return EndpointError(f"{shown(self.base_url)}, embedding model '{self.model}': {shorten(said)}")


def _clipped(text: str) -> str:
    """What is sent of a text: endpoints refuse empty ones, JSON cannot hold half a character."""
    return valid_utf8(text[:LONGEST]) if text.strip() else "-"


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        if batch and (len(batch) == BATCH or sum(map(len, batch)) + len(text) > BATCH_CHARACTERS):
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


def _tokens(said: Any) -> int:
    tokens = said["usage"].get("prompt_tokens") if isinstance(said.get("usage"), dict) else None
    return tokens if isinstance(tokens, int) else 0


def _about_dimensions(error: "openai.APIStatusError") -> bool:
    said = f"{error.body} {error}".lower()
    return "dimension" in said or "matryoshka" in said
