"""What can be asked of an endpoint, a chat completion or embeddings, and what it answers."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flex.endpoint.dialects import Failure, parse_reply
from flex.types import Message, Reply, Usage

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Embedded:
    """The answer to a call for embeddings: unit vectors, one row a text, and what they cost."""

    vectors: "np.ndarray[Any, np.dtype[Any]]"
    usage: Usage


A = TypeVar("A", Reply, Embedded)


@dataclass(frozen=True, slots=True)
class Call(Generic[A]):
    """One question to one model, sent as often as it takes."""

    role: str
    """On whose account it goes."""
    model: str
    path: str
    content: Mapping[str, Any]
    options: Mapping[str, Any]
    """Parameters that a model may refuse."""
    characters: int
    """Of the prompt, from which its tokens are estimated."""
    read: Callable[[Any, Collection[str]], A | Failure]
    """Reads the JSON of an answer, knowing the options that were sent."""
    kind: str = "model"
    completes: bool = True

    def __str__(self) -> str:
        return f"{self.kind} '{self.model}'"


def chat_call(role: str, model: str, messages: Sequence[Message], options: Mapping[str, Any]) -> Call[Reply]:
    """A chat completion; options that are None are left out."""
    stop = options.get("stop") or ()
    return Call(
        role,
        model,
        "/chat/completions",
        {"messages": messages},
        {name: value for name, value in options.items() if value is not None},
        characters=sum(len(message.get("content") or "") for message in messages),
        read=lambda body, sent: parse_reply(body, () if "stop" in sent else stop),
    )
