"""Tags and fenced JSON out of replies."""

import json
import re
from typing import Any

from flex.errors import ParseError

_FENCE = re.compile(r"```[ \t]*(?:json)?[ \t]*\r?\n(.*?)```", re.DOTALL | re.IGNORECASE)
_THINK = re.compile(r"<think(?:ing)?>(.*?)</think(?:ing)?>", re.DOTALL | re.IGNORECASE)


def last_tag(text: str, tag: str) -> str | None:
    """The stripped content of the last `<tag>...</tag>`, None when there is none."""
    found = re.findall(rf"<{tag}>((?:(?!<{tag}>).)*?)</{tag}>", text, re.DOTALL | re.IGNORECASE)
    return found[-1].strip() if found else None


def last_json(text: str) -> dict[str, Any]:
    """The object in the last fenced json block; a bare object that is the whole reply counts too.

    Raises ParseError, saying what is wrong, when there is none or it is not valid JSON.
    """
    blocks = _FENCE.findall(text) or [text.strip()]
    try:
        value = json.loads(blocks[-1], strict=False)
    except json.JSONDecodeError as error:
        raise ParseError(f"the reply has to end in one fenced json block with valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise ParseError(f"the json block has to hold an object, not {type(value).__name__}")
    return value


def split_thinking(text: str) -> tuple[str, str]:
    """Part a reply into (visible text, thinking); a chat template may have swallowed the opening `<think>`."""
    thoughts = _THINK.findall(text)
    visible = _THINK.sub("", text)
    head, closing, tail = visible.rpartition("</think>")
    if closing:
        thoughts, visible = [*thoughts, head], tail
    head, opening, tail = visible.partition("<think>")
    if opening:  # cut off while still thinking
        thoughts, visible = [*thoughts, tail], head
    return visible.strip(), "\n\n".join(t.strip() for t in thoughts if t.strip())
