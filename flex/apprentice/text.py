"""Chat messages as plain text."""

from collections.abc import Mapping, Sequence
from typing import Any

Messages = Sequence[Mapping[str, Any]]


def text_of(content: Any) -> str:
    """A message's content as text: a string, a list of parts, or nothing."""
    if isinstance(content, list):
        return "\n".join(part if isinstance(part, str) else str(part.get("text") or "") for part in content)
    return "" if content is None else str(content)


def texts(messages: Messages, *roles: str) -> list[str]:
    """The texts of the messages of these roles, in order."""
    return [text_of(m.get("content")) for m in messages if m.get("role") in roles]


def prompted(messages: Messages) -> list[str]:
    """Everything said to the apprentice after the system prompt: tasks, feedback, observations."""
    return [text_of(m.get("content")) for m in messages if m.get("role") not in ("assistant", "system", "developer")]


def opening(messages: Messages) -> str:
    """The first thing said by the user: the task, maybe after retrieved experience."""
    return next(iter(texts(messages, "user")), "")
