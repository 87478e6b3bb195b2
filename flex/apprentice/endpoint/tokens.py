"""What real endpoints count and cut: a plausible number of tokens, and stop sequences."""

from collections.abc import Mapping, Sequence
from typing import Any

from flex.apprentice.text import text_of

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4


def estimated_tokens(text: str) -> int:
    """About one token for every four characters."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def prompt_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """The estimate for a whole conversation."""
    return sum(TOKENS_PER_MESSAGE + estimated_tokens(text_of(message.get("content"))) for message in messages)


def cut_at(text: str, stop: Sequence[str]) -> str:
    """The text up to the first stop sequence in it."""
    places = [text.find(word) for word in stop if word and word in text]
    return text[: min(places)] if places else text
