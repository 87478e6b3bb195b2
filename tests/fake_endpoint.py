"""A small OpenAI-compatible endpoint on loopback that does what its script says, faults included.

    with Endpoint(Answer(429, headers={"retry-after": "0"}), "hello") as endpoint:
        client = RateLimitedLLMClient(base_url=endpoint.url)
        ...
    assert [call.body["model"] for call in endpoint.calls] == ["m", "m"]

Run as a program (`python tests/endpoint.py --port 8123 --latency 0.1`) it is a server of its own, for benchmarks;
`GET /calls` then tells the arrival times.
"""

import argparse
import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request that arrived: when (`time.monotonic`), where, and what it said."""

    time: float
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def prompt(self) -> str:
        """The content of the last message."""
        return self.body["messages"][-1]["content"]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. A dict is sent as JSON, a text as it is; `cut` closes the connection after that many bytes.

    It is sent after `delay` seconds, and not before `gate` is set.
    """

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    cut: int | None = None
    gate: threading.Event | None = None


Script = str | dict | Answer | Callable[[Call], "str | dict | Answer"]
"""A text becomes a chat completion, a dict the body of a 200; a function is asked with the call."""


def completion(text: str | None, **changes: Any) -> dict[str, Any]:
    """The body of a chat completion; `changes` replace top-level keys, `None` removes one."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    return {key: value for key, value in (body | changes).items() if value is not None}


def error(message: str, **details: Any) -> dict[str, Any]:
    """The body of an error: `{"error": {"message": ...}}`."""
    return {"error": {"message": message, **details}}


class Endpoint:
    """Plays its script in order of arrival, then `default` for ever; remembers every call (`.calls`).

    `latency` is the seconds every answer takes; `.most_at_once` the largest number of calls under way together.
    """

    def __init__(self, *script: Script, default: Script = "ok", latency: float = 0, port: int = 0) -> None:
        self.calls: list[Call] = []
        self.connections = 0
        self.most_at_once = 0
        self.port = port
        self._script = list(script)
        self._default = default
        self._latency = latency
        self._under_way = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> "Endpoint":
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(ready.set)), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def serve(self, ready: Callable[[], None] = lambda: None) -> None:
        """Answer until told to stop."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._talks: set[asyncio.Task] = set()
        server = await asyncio.start_server(self._converse, "127.0.0.1", self.port, limit=2**24)
        self.port = server.sockets[0].getsockname()[1]
        ready()
        await self._stop.wait()
        await asyncio.sleep(0.01)  # whoever is at the door comes in first: asyncio leaks a half-accepted connection
        server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection, one after the other."""
        self.connections += 1
        self._talks.add(asyncio.current_task())
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self._talks.discard(asyncio.current_task())
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is to be closed."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        arrived = time.monotonic()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        call = Call(arrived, head[0].split(" ")[1], headers, json.loads(content) if content else None)
        answer = self._answer(call)
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        await asyncio.sleep(self._latency + answer.delay)
        while answer.gate and not answer.gate.is_set():
            await asyncio.sleep(0.01)
        self._under_way -= 1
        data = _http(answer)
        writer.write(data[: answer.cut])
        await writer.drain()
        return answer.cut is None

    def _answer(self, call: Call) -> Answer:
        if call.path == "/calls":
            return Answer(body={"times": [c.time for c in self.calls], "most_at_once": self.most_at_once})
        self.calls.append(call)
        script = self._script.pop(0) if self._script else self._default
        if callable(script):
            script = script(call)
        if isinstance(script, str):
            script = completion(script)
        return script if isinstance(script, Answer) else Answer(body=script)


def _http(answer: Answer) -> bytes:
    """The bytes of an answer."""
    text = isinstance(answer.body, str)
    content = answer.body.encode() if text else json.dumps(answer.body or {}).encode()
    headers = {"content-type": "text/html" if text else "application/json", **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(content)}", "", ""]).encode() + content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0)
    parser.add_argument("--words", type=int, default=100, help="length of every reply")
    args = parser.parse_args()
    endpoint = Endpoint(default=completion("word " * args.words), latency=args.latency, port=args.port)
    asyncio.run(endpoint.serve(lambda: print(endpoint.url, flush=True)))


if __name__ == "__main__":
    main()
