"""What OpenAI-compatible endpoints differ in: how they reply, how they refuse, which parameters they know."""

import email.utils
import json
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flex.text import one_line, valid_utf8
from flex.types import Reply, Usage

OPTIONAL_PARAMETERS = ("max_completion_tokens", "max_tokens", "temperature", "top_p", "stop", "dimensions")
"""Parameters we can do without when a model refuses them."""
NOT_JSON = "not_json"
"""The code of a Failure that got a page instead of JSON."""
WRONG_PROTOCOL = "wrong_protocol"
"""The code of a Failure that met something else than the address says."""
LONGEST_WAIT = 120.0
"""Seconds; an endpoint that asks us to stay away for longer is asked again after this."""

_STREAM = (b"data:", b"event:", b":")
_OUT_OF_FUNDS = re.compile("insufficient_quota|billing_hard_limit_reached|billing_not_active")
_RETRYABLE = {408, 409, 425, 429}
_REFUSAL = re.compile(
    r"unsupported|not? support|n't support|unrecogni[sz]ed|unknown|unexpected|extra (inputs|fields)|extra_forbidden"
    r"|not permitted|not allowed|not available|deprecated|invalid|only the default|may only|can only|must be|cannot"
    r"|incompatible|too long",
    re.IGNORECASE,
)
_NO_SUCH_KEY = re.compile(
    r"api[ _-]?key.{0,20}(not valid|invalid|incorrect|expired|missing)|(invalid|incorrect|missing) api[ _-]?key"
    r"|no_db_connection",  # how a gateway without its database of keys refuses all but its own
    re.IGNORECASE,
)
_NO_SUCH_MODEL = re.compile(
    r"\bmodels?\b.{0,120}?(not exist|not found|not available|is unknown|not a valid|is not valid|is not supported)"
    r"|(unknown|invalid|no such|unable to access|not a valid|could not find) model|model_not_found|model not exist",
    re.IGNORECASE | re.DOTALL,
)
_THINK_TAG = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try got no reply. `status` 0 means that none came back, 200 one that holds nothing."""

    status: int
    message: str
    code: str = ""
    param: str = ""
    wait: float | None = None
    """Seconds the endpoint asks us to stay away."""
    should_retry: bool | None = None
    """What the endpoint itself says about trying again."""

    @property
    def retryable(self) -> bool:
        if _OUT_OF_FUNDS.search(self.code):
            return False
        if self.should_retry is not None:
            return self.should_retry
        return self.status in _RETRYABLE or self.status >= 500 or self.status in (0, 200)

    @property
    def no_such_key(self) -> bool:
        return self.status == 401 or (self.status in (400, 403) and bool(_NO_SUCH_KEY.search(self._words)))

    @property
    def no_such_model(self) -> bool:
        return self.status in (404, 405) or (self.status in (400, 422) and bool(_NO_SUCH_MODEL.search(self._words)))

    def refused(self, sent: Collection[str]) -> str | None:
        """Which of the optional parameters that were sent it refuses, None if it is about something else."""
        if self.status not in (400, 422) or not _REFUSAL.search(self._words.replace("invalid_request_error", "")):
            return None
        if self.param:
            return next((name for name in sent if re.match(rf"(body\.)?{re.escape(name)}\b", self.param)), None)
        found = {name: place.start() for name in sent if (place := re.search(_named(name), self.message))}
        return min(found, key=found.__getitem__, default=None)

    @property
    def _words(self) -> str:
        return f"{self.code} {self.message}"

    def __str__(self) -> str:
        return f"{self.status} {self.message}" if self.status else self.message


def _named(option: str) -> str:
    """A pattern for an option in the words of a refusal."""
    if option == "dimensions":
        return "(?i)dimension|matryoshka"
    return rf"(?<![\w-]){re.escape(option)}(?![\w-])"


def parse_failure(status: int, body: Any, headers: Mapping[str, str]) -> Failure:
    """What an error answer says; the body may be OpenAI's, FastAPI's, a bare text or an HTML page."""
    error = _innermost(body)
    where = error.get("loc")
    return Failure(
        status=status,
        message=str(error.get("message") or error.get("msg") or error.get("detail") or _unexplained(status, error)),
        code=" ".join(str(error[key]) for key in ("code", "type") if error.get(key)),
        param=".".join(map(str, where)) if isinstance(where, list) else str(error.get("param") or ""),
        wait=retry_after(headers),
        should_retry={"true": True, "false": False}.get(headers.get("x-should-retry", "").lower()),
    )


def _unexplained(status: int, error: Mapping[str, Any]) -> str:
    if any(error.values()):
        return str(error)
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "without an explanation"


def _innermost(body: Any) -> Mapping[str, Any]:
    """The error without its wrapping: OpenAI's `error`, FastAPI's `detail`, lists of Gemini's and FastAPI's."""
    if isinstance(body, list) and body:  # FastAPI has one entry for each wrong field
        return _innermost(body[0])
    if not isinstance(body, dict):
        return {"message": body}
    inner = body.get("error") or (None if "message" in body else body.get("detail"))
    if isinstance(inner, dict | list):
        return _innermost(inner)
    return body if inner is None else {"message": inner, **body}


def shorten(text: Any, length: int = 300) -> str:
    """One line of at most `length` characters; of an HTML page only its words."""
    return one_line(re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", str(text), flags=re.DOTALL | re.IGNORECASE), length)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `retry-after-ms` or `Retry-After` (seconds or a date) asks for, None if neither does."""
    asked = (headers.get("retry-after") or headers.get("llm_provider-retry-after") or "").strip()  # or a gateway's
    milliseconds = _number(headers.get("retry-after-ms"))
    seconds = milliseconds / 1000 if milliseconds is not None else _number(asked)
    if seconds is None and (date := email.utils.parsedate_tz(asked)):
        seconds = email.utils.mktime_tz(date) - time.time()
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)


def decode(content: bytes, text: str) -> Any:
    """The JSON of a reply, or of a stream of events that nobody asked for. Raises ValueError.

    `text` is the content as its header declares it, for those who write no UTF-8.
    """
    try:
        if content.lstrip().startswith(_STREAM):
            return _assembled(text)
        return json.loads(content)
    except UnicodeDecodeError:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("brackets without end") from error


def is_page(content: bytes) -> bool:
    """Whether it is neither JSON, maybe cut off, nor a stream, nor nothing at all."""
    return bool(content.strip()) and not content.lstrip().startswith((b"{", *_STREAM))


def _assembled(text: str) -> Mapping[str, Any]:
    """The chat completion that a stream of chunks amounts to. Raises ValueError when it breaks off."""
    lines = [line[5:].strip() for line in text.split("\n") if line.startswith("data:")]
    chunks = [_dict(json.loads(line)) for line in lines if line != "[DONE]"]
    if failed := next((chunk for chunk in chunks if chunk.get("error")), None):
        return failed
    choices = [
        choice for chunk in chunks for choice in map(_dict, chunk.get("choices") or ()) if not choice.get("index")
    ]
    finish = next((choice["finish_reason"] for choice in choices if choice.get("finish_reason")), None)
    if finish is None and "[DONE]" not in lines:
        raise ValueError("the stream breaks off")
    parts = [_text_of(_dict(choice.get("delta") or choice.get("message"))) for choice in choices]
    message = {"content": "".join(text for text, _ in parts), "reasoning_content": "".join(why for _, why in parts)}
    usage = next((chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage")), None)
    return {"choices": [{"message": message, "finish_reason": finish}] if choices else [], "usage": usage}


def parse_reply(body: Any, stop: Collection[str] = ()) -> Reply | Failure:
    """Read a chat completion; a 200 without one is a Failure, with the status the body itself gives if it gives one.

    `stop` are sequences that the endpoint did not take, to be cut off here.
    """
    if not isinstance(body, dict):
        return Failure(200, f"a reply that is no chat completion: {shorten(body, 80)}")
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if error := body.get("error") or choice.get("error"):
        return failure_within(error)
    if not isinstance(message, dict):
        return Failure(200, f"a reply without choices: {shorten(body, 120)}")
    text, thinking = _text_of(message)
    visible, thought = split_thinking(text)
    ends = [place for sequence in stop if (place := visible.find(sequence)) >= 0]
    return Reply(
        text=visible[: min(ends)].rstrip() if ends else visible,
        reasoning="\n\n".join(part for part in (thinking.strip(), thought) if part),
        usage=parse_usage(body.get("usage")),
        finish_reason="stop" if ends else choice.get("finish_reason"),
    )


def failure_within(error: Any) -> Failure:
    """What the error in the body of a 200 says, with the status that it gives if it gives one."""
    code = _number(error.get("code")) if isinstance(error, dict) else None
    return parse_failure(int(code) if code and 400 <= code < 600 else 200, {"error": error}, {})


def _text_of(message: Mapping[str, Any]) -> tuple[str, str]:
    """The text of a message and its separate reasoning; the content may be None or a list of parts."""
    content = message.get("content") or message.get("refusal") or ""
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    if isinstance(content, list):
        thoughts = [part for part in content if _dict(part).get("type") in ("thinking", "reasoning")]
        reasoning = reasoning or [part.get("thinking") or part for part in thoughts]
        content = [part for part in content if part not in thoughts]
    return _flat(content), _flat(reasoning)


def _flat(value: Any) -> str:
    if isinstance(value, list):
        return "".join(map(_flat, value))
    if isinstance(value, dict):
        return _flat(value.get("text"))
    # Half of a surrogate pair, as cut by some tokenizers, could neither be sent nor written.
    return valid_utf8(value) if isinstance(value, str) else ""


def parse_usage(usage: Any) -> Usage:
    """The tokens an endpoint reports, as one call; zeros where it does not."""
    if not isinstance(usage, dict):
        return Usage(calls=1)
    prompt, completion = (_dict(usage.get(f"{side}_tokens_details")) for side in ("prompt", "completion"))
    return Usage(
        calls=1,
        prompt_tokens=_count(usage.get("prompt_tokens"), usage.get("input_tokens")),
        cached_tokens=_count(
            prompt.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens")
        ),
        completion_tokens=_count(usage.get("completion_tokens"), usage.get("output_tokens")),
        reasoning_tokens=_count(completion.get("reasoning_tokens"), usage.get("reasoning_tokens")),
    )


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(*candidates: Any) -> int:
    """The first that is a number; gateways send null, "12" and 12.0 too."""
    return next((max(int(n), 0) for n in map(_number, candidates) if n is not None), 0)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e15 else None  # neither infinite nor NaN


def split_thinking(text: str) -> tuple[str, str]:
    """Part a reply into (visible text, thinking); a chat template may have swallowed the opening `<think>`."""
    visible: list[str] = []
    thoughts: list[str] = []
    thinking, start = False, 0
    for tag in _THINK_TAG.finditer(text):
        closing = tag.group().startswith("</")
        (thoughts if thinking or closing else visible).append(text[start : tag.start()])
        thinking, start = not closing, tag.end()
    (thoughts if thinking else visible).append(text[start:])  # cut off while still thinking
    return "".join(visible).strip(), "\n\n".join(t.strip() for t in thoughts if t.strip())
