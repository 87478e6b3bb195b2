"""What an endpoint has shown of itself so far, and what a failure therefore means: for one task, or for the run."""

from collections import Counter
from typing import Any

from flex.endpoint.calls import Call
from flex.endpoint.causes import FILTERED, NO_ENDPOINT, NO_KEY, NO_MODEL, Cause
from flex.endpoint.connection import without_password
from flex.endpoint.failures import ERROR_WITHIN, NO_CHOICES, NO_CONNECTION, NOT_JSON, WRONG_PROTOCOL, Failure, shorten
from flex.errors import EndpointError, EndpointUnusable, FlexError, TaskRefused

ALIKE, ALIKE_LATER = 3, 10
"""Refusals of a model in the same words and in a row that no task is to blame for: before and after it answered."""
LASTING = 14
"""Tries that failed alike and in a row, of two calls at least: trouble that does not pass, such as maintenance."""
A_TASKS_OWN = (0, 500)
"""Statuses of trouble that one task may cause however often it is asked: no answer in time, a server that breaks."""


class Standing:
    """Of one client: who answered, which refusals repeat, and, within a run, whether there is use in asking on."""

    def __init__(self, address: str, key: str) -> None:
        self.answers = 0
        self.ended: str | None = None
        """Why the run that is under way is over."""
        self._url = without_password(address)
        self._key = key
        self._answered: set[str] = set()
        self._failures: dict[str, Counter[str]] = {}
        self._runs = 0

    def begin(self) -> None:
        """A run begins: what ends it will end all its calls."""
        self._runs += 1
        self.ended = None

    def close(self) -> None:
        self._runs -= 1
        self.ended = None

    @property
    def untried(self) -> bool:
        """Whether a run is under way in which nobody has answered yet."""
        return self._runs > 0 and not self.answers

    def answer(self, model: str) -> None:
        self.answers += 1
        self._answered.add(model)
        self._failures.pop(model, None)

    def check(self) -> None:
        """Raises EndpointUnusable once the run is over."""
        if self.ended:
            raise EndpointUnusable(self.ended)

    def end(self, why: str) -> EndpointUnusable:
        """The error that ends a run; no call of it is sent any more."""
        self.ended = why if self._runs else None
        return EndpointUnusable(why)

    def cause(self, call: Call[Any], failure: Failure) -> Cause | None:
        """What a failure is about, by what it says and by who has answered before."""
        cause = failure.cause
        if call.model in self._answered:
            return None if cause is NO_MODEL and failure.status in NO_MODEL.statuses else cause
        if failure.code in (NOT_JSON, NO_CHOICES, WRONG_PROTOCOL, ERROR_WITHIN):
            return cause or NO_ENDPOINT
        if failure.status == 403 and cause is None:
            return NO_MODEL if self._answered else NO_KEY
        return cause

    def doubts(self, call: Call[Any], failure: Failure) -> int:
        """How often to ask again before a failure is believed that would end the run: gateways have their hiccups."""
        cause = self.cause(call, failure)
        if cause not in (NO_KEY, NO_MODEL, NO_ENDPOINT) or failure.code == WRONG_PROTOCOL:
            return 0
        return 2 if self._answered else 1

    def retries(self, call: Call[Any], failure: Failure) -> bool:
        """Whether another try may help."""
        return failure.retryable and self.cause(call, failure) is None

    def error(self, call: Call[Any], failure: Failure, retries: int, answers: int) -> FlexError:
        """What to raise of a failure that stays; `answers` is how many there were when the call was begun."""
        cause, reason = self.cause(call, failure), self.words(failure)
        said = f"{self._url}, {call}: {reason}" + (f" (after {retries} retries)" if retries else "")
        if cause is not None and cause.run_wide:
            return self.end(self._explained(call, cause, failure))
        if cause is not None:
            return TaskRefused(said, cause.words, filtered=cause is FILTERED)
        if failure.code == NO_CONNECTION and self.answers == answers:
            return self.end(f"nobody answers: {said}; is the server still running?")
        known = call.model in self._answered
        tries = self._failed_alike(call.model, failure, retries + 1)
        limit = LASTING if failure.retryable else ALIKE_LATER if known else ALIKE
        if tries >= limit and not (failure.retryable and failure.status in A_TASKS_OWN):
            return self.end(f"{said}; the last {tries} tries failed in the same words")
        return (EndpointError if failure.retryable or not known else TaskRefused)(said, failure.reason)

    def _failed_alike(self, model: str, failure: Failure, tries: int) -> int:
        """How many tries of a model in a row have failed with the same words, with these."""
        before = self._failures.get(model, Counter())
        self._failures[model] = Counter({failure.reason: before[failure.reason] + tries})
        return self._failures[model][failure.reason]

    def _explained(self, call: Call[Any], cause: Cause, failure: Failure) -> str:
        """What a person has to know of a failure that ends the run, and what to do about it."""
        reason = self.words(failure)
        if cause is NO_KEY:
            hint = "check API_KEY" if self._key else "no API key is set: export API_KEY=..."
            return f"{self._url} refused the API key ({reason}); {hint}"
        if cause is NO_MODEL:
            return f"no {call} at {self._url} ({reason}); {cause.hint}"
        if failure.code == WRONG_PROTOCOL:
            return f"{self._url} {reason}; check BASE_URL"
        if cause is NO_ENDPOINT:
            return f"{self._url} does not look like an OpenAI-compatible endpoint; {cause.hint} ({reason})"
        return f"{self._url}, {call}: {cause.words} ({reason}); {cause.hint}"

    def words(self, failure: Failure) -> str:
        """A failure in words, without the key wherever an endpoint repeats it."""
        text = str(failure)
        return shorten(text.replace(self._key, "***") if self._key else text)
