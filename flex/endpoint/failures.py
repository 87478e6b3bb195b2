"""How OpenAI-compatible endpoints fail and refuse: what an error answer says, and what it means for the next try."""

import email.utils
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from flex.endpoint.causes import USED_UP, Cause, cause_of
from flex.text import one_line

OPTIONAL_PARAMETERS = (
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "dimensions",
    "response_format",
)
"""Parameters we can do without when a model refuses them."""
NOT_JSON = "not_json"
"""The code of a Failure that got a page instead of JSON."""
NO_CHOICES = "no_choices"
"""The code of a Failure that got JSON of another kind, such as a provider's own."""
WRONG_PROTOCOL = "wrong_protocol"
"""The code of a Failure that met something else than the address says."""
NO_CONNECTION = "no_connection"
"""The code of a Failure that reached nobody."""
ERROR_WITHIN = "error_within"
"""The code of a Failure that is an error in a 200, without a status of its own."""
DETAILS = 4000
"""Characters that are kept of what stands beside a message."""
LONGEST_WAIT = 120.0
"""Seconds; an endpoint that asks us to stay away for longer is asked again after this."""

_RETRYABLE = {408, 409, 425, 429, 498}
_UNREADABLE = re.compile("tool_use_failed|json_validate_failed|output_parse_failed")
"""Codes for a reply that the server itself could not read: the next one may be better."""
_PASSING = re.compile(r"throttl|rate (limit )?exceeded|too many requests|overloaded|try again later", re.IGNORECASE)
"""What a gateway says with a status that is none of trouble that passes."""
_REFUSAL = re.compile(
    r"unsupported|not? support|n't support|unrecogni[sz]ed|unknown|unexpected|extra (inputs|fields)|extra_forbidden"
    r"|not permitted|not allowed|not available|deprecated|invalid|only the default|may only|can only|must be|cannot"
    r"|incompatible|too long|unavailable|enabled only",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try got no reply. `status` 0 means that none came back, 200 one that holds nothing."""

    status: int
    message: str
    code: str = ""
    param: str = ""
    details: str = ""
    """What stands beside the message: which quota, which limit."""
    wait: float | None = None
    """Seconds the endpoint asks us to stay away."""
    should_retry: bool | None = None
    """What the endpoint itself says about trying again."""

    @property
    def retryable(self) -> bool:
        if self.cause is not None:
            return False
        if self.should_retry is not None:
            return self.should_retry
        passing = self.status in _RETRYABLE or self.status >= 500 or self.status in (0, 200)
        return passing or bool(_UNREADABLE.search(self.code) or _PASSING.search(self._said))

    @property
    def cause(self) -> Cause | None:
        """What it is about, None where it does not say."""
        cause = cause_of(self.status, f"{self._said} {self.details}")
        soon = self.wait is not None and self.wait < LONGEST_WAIT
        return None if cause is USED_UP and soon else cause  # who names a time that one can wait for is not used up

    def refused(self, sent: Collection[str]) -> str | None:
        """Which of the optional parameters that were sent it refuses, None if it is about something else."""
        if "response_format" in sent and "json_validate_failed" in self.code:
            return "response_format"
        if self.status not in (400, 422) or not _REFUSAL.search(self._said.replace("invalid_request_error", "")):
            return None
        if self.param:
            return next((name for name in sent if re.match(rf"(body\.)?{re.escape(name)}\b", self.param)), None)
        found = {name: place.start() for name in sent if (place := re.search(_named(name), self.message))}
        return min(found, key=found.__getitem__, default=None)

    @property
    def reason(self) -> str:
        """It in the few words that it is counted under, without what differs from call to call."""
        if self.cause is not None:
            return self.cause.words
        words = self.message if self.status >= 400 else re.split(r"[:(]", self.message)[0]
        said = shorten(re.sub(r"\d+([.,:]\d+)*", "n", words) if self.status >= 400 else words, 80).strip()
        return f"{self.status} {said}" if self.status >= 400 else said

    @property
    def _said(self) -> str:
        return f"{self.code} {self.message}"

    def __str__(self) -> str:
        return f"{self.status} {self.message}" if self.status else self.message


def _named(option: str) -> str:
    """A pattern for an option in the words of a refusal."""
    if option == "dimensions":
        return "(?i)dimension|matryoshka"
    if option == "response_format":
        return "(?i)response.?format|json.?schema|structured.?output|guided|grammar"
    return rf"(?<![\w-]){re.escape(option)}(?![\w-])"


def parse_failure(status: int, body: Any, headers: Mapping[str, str]) -> Failure:
    """What an error answer says; the body may be OpenAI's, FastAPI's, a bare text or an HTML page."""
    error = _innermost(body)
    where = error.get("loc")
    return Failure(
        status=status,
        message=str(error.get("message") or error.get("msg") or error.get("detail") or _unexplained(status, error)),
        code=" ".join(str(error[key]) for key in ("code", "type") if error.get(key)),
        details=str(error.get("details") or "")[:DETAILS],
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
    milliseconds = number(headers.get("retry-after-ms"))
    seconds = milliseconds / 1000 if milliseconds is not None else number(asked)
    if seconds is None and (date := email.utils.parsedate_tz(asked)):
        seconds = email.utils.mktime_tz(date) - time.time()
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)


def failure_within(error: Any) -> Failure:
    """What the error in the body of a 200 says, with the status that it gives if it gives one."""
    code = number(error.get("code")) if isinstance(error, dict) else None
    failure = parse_failure(int(code) if code and 400 <= code < 600 else 200, {"error": error}, {})
    return failure if failure.status >= 400 else replace(failure, code=failure.code or ERROR_WITHIN)


def number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e15 else None  # neither infinite nor NaN
