"""The apprentice as an OpenAI-compatible endpoint on loopback; standard library only."""

import importlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from flex.apprentice.endpoint.completions import (
    BadRequest,
    Request,
    completion,
    model_card,
    model_list,
    parse_request,
)

HOST = "127.0.0.1"
MAX_BODY_BYTES = 64 * 1024 * 1024
log = logging.getLogger(__name__)


def serve(port: int, *, latency: float = 0.0, announce: Callable[[str], None] | None = None) -> None:
    """Serve `http://127.0.0.1:<port>/v1` until interrupted; port 0 takes a free one, `announce` hears its base URL.

    `latency` is waited before every reply, in seconds.
    """
    with ApprenticeServer(port, latency) as server:
        base_url = f"http://{HOST}:{server.server_port}/v1"
        log.info("the apprentice listens on %s", base_url)
        if announce is not None:
            announce(base_url)
        from rdkit import rdBase

        importlib.import_module("flex.apprentice.roles")  # now, not in the first request
        rdBase.DisableLog("rdApp.*")  # a guess that is no molecule is an ordinary event
        server.serve_forever()


class ApprenticeServer(ThreadingHTTPServer):
    """One thread for each connection; it listens from the beginning, and answers within `serve_forever`."""

    daemon_threads = True
    request_queue_size = 512
    allow_reuse_address = True

    def __init__(self, port: int = 0, latency: float = 0.0) -> None:
        super().__init__((HOST, port), _Handler)
        self.latency = latency

    def handle_error(self, request: Any, client_address: Any) -> None:
        broke_off = isinstance(sys.exception(), OSError)
        log.log(logging.DEBUG if broke_off else logging.ERROR, "a connection broke off", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: ApprenticeServer
    protocol_version = "HTTP/1.1"
    server_version = "flex-apprentice"
    disable_nagle_algorithm = True  # or every reply waits 40 ms for a delayed acknowledgement
    wbufsize = 1 << 16  # one packet for head and body
    timeout = 600
    error_content_type = "application/json"
    error_message_format = '{"error": {"message": "%(code)d: %(explain)s", "type": "invalid_request_error"}}'

    def do_any(self) -> None:
        """Read the whole body first, even of a request that is refused, so that the connection can be used again."""
        try:
            self.answer(self.read_body())
        except BadRequest as refused:
            self.send_json(refused.status, refused.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_any

    def answer(self, body: bytes) -> None:
        route = urlsplit(self.path).path.strip("/").removeprefix("v1").strip("/")
        kind, _, name = route.partition("/")
        if self.command not in ("GET", "HEAD", "POST"):
            raise BadRequest(405, f"{self.command} is not allowed here")
        if route == "chat/completions":
            self.require("POST")
            self.complete(parse_request(body))
        elif kind == "models":
            self.require("GET", "HEAD")
            self.send_json(200, model_card(unquote(name)) if name else model_list())
        elif route in ("", "health"):
            self.require("GET", "HEAD")
            self.send_json(200, {"status": "ok"})
        else:
            there = "POST /v1/chat/completions" if self.command == "POST" else "GET /v1/models"
            raise BadRequest(404, f"nothing at {self.path}; there is {there}", code="not_found")

    def require(self, *methods: str) -> None:
        if self.command not in methods:
            raise BadRequest(405, f"{self.command} is not allowed here; use {methods[0]}")

    def complete(self, request: Request) -> None:
        from flex.apprentice.roles import reply  # here, because RDKit takes a while to import

        if self.server.latency:
            time.sleep(self.server.latency)
        made = completion(request, reply(request.messages, request.model))
        if request.stream:
            self.send_stream(made.events())
        else:
            self.send_json(200, made.body())

    def read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self.read_chunks()
        length = self.headers.get("Content-Length", "0").strip()
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            raise BadRequest(400 if not length.isdigit() else 413, f"Content-Length {length[:20]} is not acceptable")
        return self.rfile.read(int(length))

    def read_chunks(self) -> bytes:
        pieces, size = [], 0
        while True:
            head = self.rfile.readline(1024).split(b";")[0].strip()
            try:
                length = int(head, 16)
            except ValueError as error:
                self.close_connection = True
                raise BadRequest(400, "the chunked body is broken") from error
            size += length
            if length < 0 or size > MAX_BODY_BYTES:
                self.close_connection = True
                raise BadRequest(413, "the body is too large")
            if length == 0:
                break
            pieces.append(self.rfile.read(length))
            self.rfile.readline(1024)
        while self.rfile.readline(1024).strip():  # trailers
            pass
        return b"".join(pieces)

    def send_json(self, status: int, data: Mapping[str, Any]) -> None:
        body = json.dumps(data).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        if status == 405:
            headers["Allow"] = "POST" if "completions" in self.path else "GET, HEAD"
        self.send_head(status, headers)
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def send_stream(self, events: Iterable[bytes]) -> None:
        """The end of the connection is the end of the stream, as HTTP/1.0 understands it as well."""
        self.close_connection = True
        self.send_head(200, {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"})
        for event in events:
            self.wfile.write(event)
            self.wfile.flush()

    def send_head(self, status: int, headers: Mapping[str, str]) -> None:
        """Say when the connection ends: a gateway that is not told keeps it, and loses its next request on it."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        log.debug(format, *args)
