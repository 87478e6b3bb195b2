"""Vectors from an endpoint: what is asked, what is accepted, what is kept, and the search among them."""

import asyncio
import base64
import contextvars
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from flex.endpoint.embeddings import BATCH, BATCH_CHARACTERS, LONGEST, Embedder, VectorCache
from flex.endpoint.usage import track_usage
from flex.errors import EndpointError, EndpointUnusable, LibraryError, SettingsError
from flex.rate_limiter import RateLimitedLLMClient
from flex.search.query import Filter
from flex.search.vectors import VectorIndex, embedding_models, library_embedder
from flex.types import Experience, Usage
from tests.fake_endpoint import Answer, Call, Endpoint, error

ROOT = Path(__file__).parents[2]
COLOURS = ("red", "green", "blue")


def said(vectors: list[list[float]], encoded: bool = True, **changes) -> dict:
    """The body of an answer with these vectors."""
    written = [base64.b64encode(struct.pack(f"<{len(v)}f", *v)).decode() if encoded else v for v in vectors]
    data = [{"object": "embedding", "index": place, "embedding": each} for place, each in enumerate(written)]
    return {"object": "list", "data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}, **changes}


def colours(call: Call) -> dict:
    """A model of three dimensions: how often a text says red, green and blue, and a little of its length."""
    texts = call.body["input"]
    return said([[text.count(colour) + len(text) / 1000 for colour in COLOURS] for text in texts])


def embedder(endpoint: Endpoint, **options) -> Embedder:
    return Embedder("colours", client_of(endpoint), **{"dimensions": 3} | options)


def client_of(endpoint: Endpoint, key: str = "k", **settings) -> RateLimitedLLMClient:
    return RateLimitedLLMClient(key, endpoint.url, **{"max_retries": 0, "backoff": 0.001} | settings)


@pytest.fixture
def endpoint():
    with Endpoint(default=colours) as running:
        yield running


def test_the_request_is_pinned_and_asks_for_base64(endpoint: Endpoint):
    vectors = embedder(endpoint).vectors(["red", "green green"])
    [call] = endpoint.calls
    assert call.path == "/v1/embeddings"
    assert call.body == {
        "model": "colours",
        "input": ["red", "green green"],
        "dimensions": 3,
        "encoding_format": "base64",
    }
    assert call.headers["authorization"] == "Bearer k"
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1], abs=1e-6)
    assert vectors.argmax(axis=1).tolist() == [0, 1]


def test_a_local_server_needs_no_key(endpoint: Endpoint):
    Embedder("colours", client_of(endpoint, "")).vectors(["red"])
    assert "authorization" not in endpoint.calls[0].headers
    assert "dimensions" not in endpoint.calls[0].body


def test_plain_floats_are_the_same_vectors():
    vectors = [[3.0, 4.0, 0.0], [0.5, 0.25, 8.0]]
    with Endpoint(said(vectors), said(vectors, encoded=False)) as endpoint:
        coded, plain = (embedder(endpoint).vectors(["a", "b"]) for _ in range(2))
    assert coded.tolist() == plain.tolist()
    assert coded[0].tolist() == pytest.approx([0.6, 0.8, 0])


def test_vectors_come_by_their_index():
    answer = said([[0, 2, 0], [5, 0, 0]])
    answer["data"].reverse()
    with Endpoint(answer) as endpoint:
        assert embedder(endpoint).vectors(["a", "b"]).tolist() == [[0, 1, 0], [1, 0, 0]]


def test_equal_texts_are_asked_for_once_and_long_ones_clipped(endpoint: Endpoint):
    long, blank = "red " * LONGEST, "  "
    vectors = embedder(endpoint).vectors(["red", long, "red", blank, "half \udc80"])
    sent = endpoint.calls[0].body["input"]
    assert sent == ["red", long[:LONGEST], "-", "half \ufffd"]
    assert vectors[0].tolist() == vectors[2].tolist()


def test_batches_are_bounded_in_texts_and_characters(endpoint: Endpoint):
    texts = [f"{number} red" for number in range(300)]
    assert embedder(endpoint).vectors(texts).shape == (300, 3)
    assert [len(call.body["input"]) for call in endpoint.calls] == [BATCH, BATCH, 300 - 2 * BATCH]
    endpoint.calls.clear()
    embedder(endpoint).vectors([f"{number}" + "g" * LONGEST for number in range(20)])
    assert all(sum(map(len, call.body["input"])) <= BATCH_CHARACTERS for call in endpoint.calls)
    assert sum(len(call.body["input"]) for call in endpoint.calls) == 20


def test_nothing_asked_is_nothing_paid(endpoint: Endpoint):
    assert embedder(endpoint).vectors([]).shape == (0, 3)
    with track_usage() as spent:
        embedder(endpoint).vectors(["red"])
    assert spent.by_role == {"embeddings": Usage(1, 0, 7)}
    assert spent.by_model == {"colours": Usage(1, 0, 7)}
    assert len(endpoint.calls) == 1


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (said([[1, 0]]), "vectors of 2 dimensions, not 3"),
        (said([[1, 0, 0], [0, 1, 0]]), "2 vectors for 1 texts"),
        (said([]), "0 vectors for 1 texts"),
        (said([[float("nan"), 0, 1]]), "not finite"),
        (said([[1e300, 0, 1]], encoded=False), "not finite"),
        (said([[1, 0, 0]], data=[{"index": 3, "embedding": [1, 0, 0]}]), "numbered"),
        (said([[]]), "without vectors"),
        (said([[[1, 2], [3, 4]]], encoded=False), "without vectors"),
        (said([[1, 0, 0]], data=[{"index": 0, "embedding": "no base64!"}]), "without vectors"),
        (said([["x"]], encoded=False), "without vectors"),
        ({"data": None}, "without vectors"),
        ({"data": ["vector"]}, "without vectors"),
        (Answer(500, error("out of order")), "out of order"),
        (Answer(cut=10), "[Cc]onnection"),
    ],
)
def test_anything_else_is_an_error_that_names_the_model(answer: dict | Answer, problem: str, tmp_path: Path):
    cache = tmp_path / "vectors.db"
    with Endpoint(default=answer) as endpoint, pytest.raises(EndpointError, match=f"model 'colours': .*{problem}"):
        embedder(endpoint, cache=cache).vectors(["red"])
    with Endpoint(default=colours) as endpoint:
        embedder(endpoint, cache=cache).vectors(["red"])
        assert len(endpoint.calls) == 1  # what was wrong was not kept


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(401, error("Incorrect API key provided: sk-secret")), "check API_KEY"),
        (Answer(404, error("not found")), r"no embedding model 'colours' at .* \(404 not found\)"),
        (Answer(body="<html>welcome</html>"), r"does BASE_URL end in /v1\? .*not JSON"),
    ],
)
def test_what_only_the_person_running_this_can_mend_is_told_without_the_key(answer: Answer, problem: str):
    with Endpoint(default=answer) as endpoint, pytest.raises(EndpointUnusable, match=problem) as caught:
        Embedder("colours", client_of(endpoint, "sk-secret")).vectors(["red"])
    assert "sk-secret" not in str(caught.value)


def test_passing_faults_are_tried_again():
    passing = [Answer(503, error("busy"), headers={"retry-after-ms": "1"}), {"data": None}, error("busy", code=429)]
    with Endpoint(*passing, default=colours) as endpoint:
        client = client_of(endpoint, max_retries=3)
        assert Embedder("colours", client).vectors(["red"]).shape == (1, 3)
        assert len(endpoint.calls) == 4
    assert client.usage == {"embeddings": Usage(1, 3, 7)}


def test_the_client_of_the_run_is_asked_and_its_account_charged(endpoint: Endpoint):
    async def run(asked: Embedder) -> None:
        async with client_of(endpoint) as client:
            asked.vectors(["red"])  # from a loop that is running, as in a notebook
            await asyncio.to_thread(asked.vectors, ["green"])
            assert client.usage_by_model == {"colours": Usage(2, 0, 14)}

    asked = Embedder("colours", dimensions=3)
    asyncio.run(run(asked))
    with pytest.raises(SettingsError, match="no endpoint"):
        asked.vectors(["blue"])  # the run is over


def test_without_a_run_a_client_is_made_from_the_environment(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch):
    asked = Embedder("colours", dimensions=3)
    with pytest.raises(SettingsError, match="BASE_URL"):
        asked.vectors(["red"])
    monkeypatch.setenv("BASE_URL", endpoint.url)
    asked.vectors(["red"])
    asked.vectors(["green"])
    assert asked.client.usage == {"embeddings": Usage(2, 0, 14)}


def test_a_loop_that_waits_for_a_searching_thread_is_not_needed_by_it(endpoint: Endpoint):
    """A library is locked while it is searched, and the event loop may be what waits for the lock."""

    async def run() -> None:
        async with client_of(endpoint):
            thread = threading.Thread(target=contextvars.copy_context().run, args=(embedder(endpoint).vectors, ["red"]))
            thread.start()
            thread.join(20)
            assert not thread.is_alive()

    asyncio.run(run())
    assert len(endpoint.calls) == 1


def test_batches_are_no_larger_than_a_limit_of_tokens(endpoint: Endpoint):
    asked = Embedder("colours", client_of(endpoint, tokens_per_minute=100), dimensions=3)
    asked.vectors(["red" * 20] * 1 + ["green" * 20, "blue" * 25])
    assert [len(call.body["input"]) for call in endpoint.calls] == [2, 1]


def test_a_model_of_one_size_is_asked_without_dimensions_and_still_checked():
    def fixed(call: Call) -> dict | Answer:
        if "dimensions" in call.body:
            return Answer(400, error('Model "colours" does not support matryoshka representation'))
        return colours(call)

    with Endpoint(default=fixed) as endpoint:
        model = embedder(endpoint)
        model.vectors(["red"])
        model.vectors(["green"])
        assert len(endpoint.calls) == 3
        with pytest.raises(EndpointError, match="vectors of 3 dimensions, not 4"):
            embedder(endpoint, dimensions=4).vectors(["red"])


def test_a_cached_text_needs_no_request(endpoint: Endpoint, tmp_path: Path):
    cache = tmp_path / "vectors.db"
    first = embedder(endpoint, cache=cache).vectors(["red", "green"])
    again = embedder(endpoint, cache=cache).vectors(["green", "red", "blue"])
    assert [call.body["input"] for call in endpoint.calls] == [["red", "green"], ["blue"]]
    assert again[:2].tolist() == first[::-1].tolist()


def test_models_and_dimensions_share_a_cache_but_no_vectors(tmp_path: Path):
    cache = tmp_path / "vectors.db"
    sizes = {"small": 2, "large": 3}

    def sized(call: Call) -> dict:
        return said([[1.0] * call.body.get("dimensions", sizes[call.body["model"]])] * len(call.body["input"]))

    kinds = [("small", 2), ("large", 3), ("large", 4), ("small", None)]
    with Endpoint(default=sized) as endpoint:
        for _ in range(2):
            for model, dimensions in kinds:
                vectors = Embedder(model, client_of(endpoint), dimensions=dimensions, cache=cache).vectors(["red"])
                assert vectors.shape == (1, dimensions or sizes[model])
        assert len(endpoint.calls) == len(kinds)


def test_a_batch_that_was_paid_for_is_kept_when_the_next_one_fails(tmp_path: Path):
    cache = tmp_path / "vectors.db"
    texts = [f"{number} red" for number in range(BATCH + 1)]
    with Endpoint(colours, default=Answer(500, error("out of order"))) as endpoint:
        with pytest.raises(EndpointError):
            embedder(endpoint, cache=cache).vectors(texts)
        assert embedder(endpoint, cache=cache).vectors(texts[:BATCH]).shape == (BATCH, 3)
        assert len(endpoint.calls) == 2


def test_a_file_that_is_no_cache_is_named(endpoint: Endpoint, tmp_path: Path):
    (tmp_path / "library.json").write_text("{}" * 1000)
    with pytest.raises(SettingsError, match=r"library\.json as a cache"):
        embedder(endpoint, cache=tmp_path / "library.json").vectors(["red"])
    with pytest.raises(SettingsError, match="nowhere"):
        embedder(endpoint, cache=tmp_path / "nowhere" / "vectors.db").vectors(["red"])


FILL = """
import sys, numpy as np
from pathlib import Path
from flex.endpoint.embeddings import VectorCache
path, start = Path(sys.argv[1]), int(sys.argv[2])
for number in range(start, start + 40):
    vectors = {f"{number} red": np.array([1, number, 0], "<f4"), "shared": np.array([0, 0, 1], "<f4")}
    VectorCache(path, "colours", 3).put(vectors)
"""


def test_several_processes_write_one_cache(tmp_path: Path):
    command = [sys.executable, "-c", FILL, tmp_path / "vectors.db"]
    processes = [subprocess.Popen([*command, str(20 * number)], cwd=ROOT) for number in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    kept = VectorCache(tmp_path / "vectors.db", "colours", 3).get(
        [*(f"{number} red" for number in range(90)), "shared"]
    )
    assert {text: vector.tolist() for text, vector in kept.items()} == {
        **{f"{number} red": [1, number, 0] for number in range(80)},
        "shared": [0, 0, 1],
    }


def index(endpoint: Endpoint, **texts: str) -> VectorIndex:
    new = VectorIndex(embedder(endpoint))
    new.put(Experience(text, id=key) for key, text in texts.items())
    return new


def test_the_nearest_come_first(endpoint: Endpoint):
    found = index(endpoint, a="green", b="red red", c="red green").search("red", 2)
    assert [(each.id, each.why) for each in found] == [("b", "vectors"), ("c", "vectors")]
    assert found[0].score == pytest.approx(1, abs=1e-3)
    assert found[1].score == pytest.approx(0.5**0.5, abs=0.01)


def test_equal_vectors_come_by_id_and_filters_hold(endpoint: Endpoint):
    searched = VectorIndex(embedder(endpoint))
    searched.put(
        Experience("red", id=key, zone=zone) for key, zone in (("c", "golden"), ("a", "warning"), ("b", "mixed"))
    )
    assert [each.id for each in searched.search("red", 5)] == ["a", "b", "c"]
    assert [each.id for each in searched.search("red", 5, Filter(zones=["golden", "mixed"], hidden=["b"]))] == ["c"]


def test_nothing_is_embedded_before_somebody_searches_and_nothing_twice(endpoint: Endpoint):
    searched = index(endpoint, a="red", b="green")
    assert searched.search(" ", 5) == searched.search("red", 0) == []
    assert endpoint.calls == []
    searched.search("blue", 5)
    searched.put([Experience("red", id="a", usage_count=3), Experience("green blue", id="c")])
    copy = searched.copy()
    searched.remove(["b"])
    assert searched.search("blue", 1)[0].id == "c"
    assert {each.id for each in copy.search("green", 5)} == {"a", "b", "c"}
    asked = [text.strip() for call in endpoint.calls for text in call.body["input"]]
    assert [text for text in asked if text not in ("blue", "green")] == ["red", "green blue"]


def test_an_empty_index_asks_nothing(endpoint: Endpoint):
    assert index(endpoint).search("red", 5) == []
    assert endpoint.calls == []


def test_a_library_names_its_model_or_has_none():
    config = {"embeddings": {"model": "colours", "dimensions": 3}}
    named = library_embedder(config)
    assert (named.model, named.dimensions) == ("colours", 3)
    assert library_embedder({}) is None
    assert (embedding_models(config), embedding_models({})) == ({"embeddings": "colours"}, {})


@pytest.mark.parametrize(
    "embeddings",
    [
        "colours",
        {"model": "colours"},
        {"model": "", "dimensions": 3},
        {"model": "colours", "dimensions": True},
        {"model": "colours", "dimensions": 0},
    ],
)
def test_a_wrong_wish_for_vectors_is_refused(embeddings: object):
    with pytest.raises(LibraryError, match="has to be"):
        library_embedder({"embeddings": embeddings})
