"""Text, structure and vectors together."""

import asyncio
import base64
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flex.errors import LibraryError
from flex.explib import ExpLib
from flex.memory_retriever import searched
from flex.types import Experience, Rule

ASPIRIN, TOLUENE = "CC(=O)Oc1ccccc1C(=O)O", "Cc1ccccc1"
REWRITTEN = "OC(=O)c1c(OC(C)=O)cccc1"


def library() -> ExpLib:
    made = ExpLib()
    made.add(Experience("Esters", (Rule("Cut the ester", (f"{ASPIRIN} <- CC(=O)OC(C)=O.O=C(O)c1ccccc1O",)),)))
    made.add(Experience("Alkyl arenes", (Rule("Cut the alkyl", (f"{TOLUENE} <- CI.c1ccccc1",)),)))
    return made


def first(lib: ExpLib, query: str, **options) -> str:
    return lib.get(lib.search(query, 1, **options)[0].experience_id).method


def test_a_molecule_is_found_in_whatever_notation():
    hit = library().search(f"Product: {REWRITTEN}", 1)[0]
    assert library().get(hit.experience_id).method == "Esters"
    assert "structure" in hit.why


def test_text_alone_is_text_alone():
    assert "structure" not in library().search(f"Product: {REWRITTEN}", 1, text_only=True)[0].why


def test_structure_follows_changes_of_the_library():
    lib = library()
    assert first(lib, REWRITTEN) == "Esters"
    lib.add(Experience("Aspirin itself", (Rule("Buy it", (f"{REWRITTEN} <- CCO",)),)))
    lib.remove(next(e.id for e in lib if e.method == "Esters"))
    assert first(lib, REWRITTEN) == "Aspirin itself"


def vectors_of(texts: list[str]) -> list[list[float]]:
    """One direction for animals, one for the rest: no word in common is needed."""
    return [[1.0, 0.0] if any(w in text for w in ("trout", "fish", "pike")) else [0.0, 1.0] for text in texts]


def embeddings(request: Request) -> Response:
    vectors = [base64.b64encode(np.array(v, "<f4").tobytes()).decode() for v in vectors_of(request.json["input"])]
    data = [{"index": place, "embedding": vector} for place, vector in enumerate(vectors)]
    return Response(json.dumps({"data": data, "model": "m"}), content_type="application/json")


def test_vectors_find_what_shares_no_word_where_the_library_asks_for_them(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    httpserver.expect_request("/v1/embeddings").respond_with_handler(embeddings)
    monkeypatch.setenv("BASE_URL", httpserver.url_for("/v1"))
    lib = ExpLib()
    lib.add(Experience("Catch a trout"))
    lib.add(Experience("Paint a wall"))
    assert lib.search("pike") == []
    lib.config["embeddings"] = {"model": "m", "dimensions": 2}
    lib.save(tmp_path / "x.json")
    assert first(lib, "pike") == "Catch a trout"
    asked = len(httpserver.log)
    assert first(ExpLib(tmp_path / "x.json"), "pike") == "Catch a trout"
    assert len(httpserver.log) == asked  # the file beside the library knows the vectors


def test_a_wrong_wish_for_vectors_is_an_error():
    lib = library()
    lib.config["embeddings"] = {"model": "m"}
    with pytest.raises(LibraryError, match="dimensions"):
        lib.search("x")


def test_a_slow_embeddings_endpoint_holds_up_nobody_else(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch):
    asked, others_went_on = threading.Event(), threading.Event()

    def slow(request: Request) -> Response:
        asked.set()
        assert others_went_on.wait(60)
        return embeddings(request)

    httpserver.expect_request("/v1/embeddings").respond_with_handler(slow)
    monkeypatch.setenv("BASE_URL", httpserver.url_for("/v1"))
    lib = library()
    lib.config["embeddings"] = {"model": "m", "dimensions": 2}

    async def run() -> None:
        retrieving = asyncio.ensure_future(searched(lib, "ester", 2, ()))
        while not asked.is_set():
            await asyncio.sleep(0.01)
        others_went_on.set()
        assert await retrieving

    asyncio.run(run())
