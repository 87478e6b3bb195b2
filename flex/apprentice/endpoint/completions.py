"""OpenAI chat completions as data: what a request asks for, and the reply in one piece or as a stream."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flex.apprentice.text import CHARACTERS_PER_TOKEN, cut_at, estimated_tokens, prompt_tokens

MODELS = (
    "apprentice",
    "apprentice-textbook",
    "apprentice-acylation",
    "apprentice-coupling",
    "apprentice-unmasking",
)
"""Without a prior, with eight textbook reactions, and three that know and learn one family of reactions each."""
CREATED = 1763683200
"""The date of these models in the list of models."""
MAX_CHOICES = 128
EVENT_CHARACTERS = 400
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class BadRequest(Exception):
    """A request that is refused: HTTP status, what is wrong, and the parameter or code that names it."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


@dataclass(frozen=True, slots=True)
class Request:
    """The part of a request that the apprentice uses; everything else is accepted and ignored."""

    model: str
    messages: tuple[Mapping[str, Any], ...]
    n: int
    stop: tuple[str, ...]
    max_tokens: int | None
    stream: bool
    include_usage: bool


def parse_request(body: bytes) -> Request:
    """The request in a body. Raises BadRequest."""
    try:
        data = json.loads(body)
        json.dumps(data, ensure_ascii=False).encode()  # half of a surrogate pair is no text that RDKit would take
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits, or brackets without end
        raise BadRequest(400, f"the body is not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise BadRequest(400, "the body has to be a JSON object")
    stream_options = data.get("stream_options") or {}
    if not isinstance(stream_options, dict):
        raise BadRequest(400, "'stream_options' has to be an object", param="stream_options")
    return Request(
        model=_model(data.get("model")),
        messages=_messages(data.get("messages")),
        n=_natural(data, "n", most=MAX_CHOICES) or 1,
        stop=_stop(data.get("stop")),
        max_tokens=_natural(data, "max_completion_tokens") or _natural(data, "max_tokens"),
        stream=bool(data.get("stream")),
        include_usage=bool(stream_options.get("include_usage")),
    )


def _model(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise BadRequest(400, "you must provide a model parameter", param="model")
    if name not in MODELS:
        known = ", ".join(MODELS)
        raise BadRequest(404, f"The model `{name}` does not exist; there are {known}.", code="model_not_found")
    return name


def _messages(value: Any) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, list) or not value:
        raise BadRequest(400, "'messages' has to be a list with at least one message", param="messages")
    for index, message in enumerate(value):
        where = f"messages[{index}]"
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise BadRequest(400, f"{where} needs a role: {', '.join(ROLES)}", param=f"{where}.role")
        content = message.get("content")
        parts = content if isinstance(content, list) else []
        if not isinstance(content, str | list | None) or not all(isinstance(part, str | dict) for part in parts):
            raise BadRequest(400, f"{where}.content has to be text or a list of parts", param=f"{where}.content")
    return tuple(value)


def _natural(data: Mapping[str, Any], name: str, most: int | None = None) -> int | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):
        raise BadRequest(400, f"'{name}' has to be a positive integer{f', at most {most}' if most else ''}", param=name)
    return value


def _stop(value: Any) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value or []
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadRequest(400, "'stop' has to be a text or a list of texts", param="stop")
    return tuple(words)


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished reply to a request."""

    request: Request
    text: str
    finish_reason: str

    @property
    def usage(self) -> dict[str, Any]:
        prompt = prompt_tokens(self.request.messages)
        completion = estimated_tokens(self.text) * self.request.n
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }

    def envelope(self, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(self.text.encode()).hexdigest()[:24]
        return {
            "id": f"chatcmpl-{digest}",
            "object": kind,
            "created": int(time.time()),
            "model": self.request.model,
            "system_fingerprint": None,
        }

    def body(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.text, "refusal": None}
        choices = [
            {"index": index, "message": dict(message), "logprobs": None, "finish_reason": self.finish_reason}
            for index in range(self.request.n)
        ]
        return {**self.envelope("chat.completion"), "choices": choices, "usage": self.usage}

    def events(self) -> Iterator[bytes]:
        """The reply as server-sent events: role, pieces of text, finish reason, usage if asked for, [DONE]."""
        envelope = self.envelope("chat.completion.chunk")
        if self.request.include_usage:
            envelope["usage"] = None

        def event(index: int, delta: Mapping[str, Any], finish: str | None = None) -> bytes:
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
            return _event({**envelope, "choices": [choice]})

        for index in range(self.request.n):
            yield event(index, {"role": "assistant", "content": ""})
            for start in range(0, len(self.text), EVENT_CHARACTERS):
                yield event(index, {"content": self.text[start : start + EVENT_CHARACTERS]})
            yield event(index, {}, self.finish_reason)
        if self.request.include_usage:
            yield _event({**envelope, "choices": [], "usage": self.usage})
        yield b"data: [DONE]\n\n"


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def completion(request: Request, text: str) -> Completion:
    """The reply cut to what the request allows."""
    text = cut_at(text, request.stop)
    most = None if request.max_tokens is None else request.max_tokens * CHARACTERS_PER_TOKEN
    if most is not None and len(text) > most:
        return Completion(request, text[:most], "length")
    return Completion(request, text, "stop")


def model_card(name: str) -> dict[str, Any]:
    """A model as `/v1/models/{id}` shows it. Raises BadRequest for an unknown one."""
    return {"id": _model(name), "object": "model", "created": CREATED, "owned_by": "flex"}


def model_list() -> dict[str, Any]:
    """All models as `/v1/models` shows them."""
    return {"object": "list", "data": [model_card(name) for name in MODELS]}
