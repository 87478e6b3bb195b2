"""Stand-ins for a model, for your tests and ours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flex.types import Message, Reply, Usage


class ScriptedModel:
    """A model that says its lines in order and remembers what it was asked (`.asked`).

    A line is a text, a `Reply`, an exception to raise, or a function of the messages. Asking for more lines than
    there are is an AssertionError.
    """

    def __init__(self, *lines: "str | Reply | Exception | Callable[[Sequence[Message]], str]") -> None:
        self.name = "scripted"
        self.asked: list[list[Message]] = []
        self._lines = list(lines)

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        stop: Sequence[str] | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        self.asked.append(list(messages))
        if not self._lines:
            raise AssertionError(f"the scripted model has no line left for: {messages[-1]['content'][:200]}")
        line = self._lines.pop(0)
        if isinstance(line, Exception):
            raise line
        if isinstance(line, Reply):
            return line
        return Reply(line if isinstance(line, str) else line(messages), usage=Usage(calls=1))

    @property
    def exhausted(self) -> bool:
        """Whether every line was said."""
        return not self._lines


class RuleModel(ScriptedModel):
    """A model that answers every question with one function of the messages; for runs of many tasks."""

    def __init__(self, answer: Callable[[Sequence[Message]], str]) -> None:
        super().__init__()
        self.name = "rule"
        self._answer = answer

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        stop: Sequence[str] | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        self.asked.append(list(messages))
        return Reply(self._answer(messages), usage=Usage(calls=1))
