"""What can be asked of an endpoint, a chat completion or embeddings, and what it answers."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from flex.endpoint.failures import Failure
from flex.types import Reply, Usage

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

    def without(self, *options: str) -> "Call[A]":
        """The same call with fewer options."""
        kept = {name: value for name, value in self.options.items() if name not in options}
        return self if kept == self.options else replace(self, options=kept)

    def __str__(self) -> str:
        return f"{self.kind} '{self.model}'"
