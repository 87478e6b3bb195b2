"""Stand-ins for a model, for your tests and ours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flex.endpoint.chat_templates import read
from flex.types import Message, Reply, Usage


class ScriptedModel:
    """A model that says its lines in order and remembers what it was asked (`.asked`).

    A line is a text, read as an endpoint's is, a `Reply`, an exception to raise, or a function of the messages. Asking
    for more lines than there are is an AssertionError.
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
        return said(line if isinstance(line, str) else line(messages))

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
        return said(self._answer(messages))


def said(text: str) -> Reply:
    """A text as the reply of an endpoint that sends it: without thinking and the marks of a chat template."""
    visible, thought = read(text)
    return Reply(visible, thought, Usage(calls=1), "stop" if visible else "empty")
