"""Vectors from an endpoint: what is asked, what is accepted, what is kept, and the search among them."""

import base64
import multiprocessing
import struct
from pathlib import Path

import numpy as np
import pytest

from flex.endpoint.embeddings import BATCH, BATCH_CHARACTERS, LONGEST, Embedder
from flex.endpoint.usage import ledger
from flex.endpoint.vector_cache import VectorCache
from flex.errors import EndpointError, LibraryError, SettingsError
from flex.search.query import Filter
from flex.search.vectors import VectorIndex, library_embedder
from flex.types import Experience
from tests.fake_endpoint import Answer, Call, Endpoint, error

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
    return Embedder("colours", endpoint.url, "k", **{"dimensions": 3, "max_retries": 0} | options)


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
    Embedder("colours", endpoint.url).vectors(["red"])
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
    with ledger() as spent:
        embedder(endpoint).vectors(["red"])
    assert (spent.total.calls, spent.total.prompt_tokens) == (1, 7)
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
        (Answer(body="<html>welcome</html>"), "not JSON"),
        (Answer(500, error("out of order")), "out of order"),
        (Answer(404, error("no such model")), "no such model"),
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


def test_a_refused_key_is_for_the_person_running_this_and_is_not_shown():
    answer = Answer(401, error("Incorrect API key provided: sk-secret"))
    with Endpoint(default=answer) as endpoint, pytest.raises(SettingsError, match="check API_KEY") as caught:
        Embedder("colours", endpoint.url, "sk-secret", max_retries=0).vectors(["red"])
    assert "sk-secret" not in str(caught.value)


def test_the_sdk_tries_again():
    with Endpoint(Answer(503, error("busy"), headers={"retry-after-ms": "1"}), default=colours) as endpoint:
        assert embedder(endpoint, max_retries=2).vectors(["red"]).shape == (1, 3)
        assert len(endpoint.calls) == 2


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
                vectors = Embedder(model, endpoint.url, dimensions=dimensions, cache=cache).vectors(["red"])
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


def _fill(path: Path, start: int) -> None:
    for number in range(start, start + 40):
        vectors = {f"{number} red": np.array([1, number, 0], "<f4"), "shared": np.array([0, 0, 1], "<f4")}
        VectorCache(path, "colours", 3).put(vectors)


def test_several_processes_write_one_cache(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_fill, args=(tmp_path / "vectors.db", 20 * number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
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


def test_a_library_names_its_model_or_has_none(endpoint: Endpoint):
    config = {"embeddings": {"model": "colours", "dimensions": 3}}
    named = library_embedder(config, endpoint.url, model="colours", dimensions=3)
    assert (named.model, named.dimensions) == ("colours", 3)
    assert library_embedder({}) is None


@pytest.mark.parametrize(
    ("embeddings", "given", "problem"),
    [
        ("colours", {}, "has to be"),
        ({"model": "colours"}, {}, "has to be"),
        ({"model": "", "dimensions": 3}, {}, "has to be"),
        ({"model": "colours", "dimensions": True}, {}, "has to be"),
        ({"model": "colours", "dimensions": 0}, {}, "has to be"),
        (
            {"model": "colours", "dimensions": 3},
            {"model": "shapes"},
            "of model 'colours' with 3 dimensions, not 'shapes'",
        ),
        ({"model": "colours", "dimensions": 3}, {"dimensions": 4}, "with 3 dimensions, not 4"),
    ],
)
def test_other_vectors_than_the_library_names_are_refused(
    embeddings: object, given: dict, problem: str, endpoint: Endpoint
):
    with pytest.raises(LibraryError, match=problem):
        library_embedder({"embeddings": embeddings}, endpoint.url, **given)


def test_the_endpoint_is_that_of_every_call(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(SettingsError, match="BASE_URL"):
        Embedder("colours")
    monkeypatch.setenv("BASE_URL", "http://127.0.0.1:1/v1/")
    assert Embedder("colours").base_url == "http://127.0.0.1:1/v1"
