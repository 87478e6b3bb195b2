"""Tags and fenced JSON out of replies."""

import json
import re
from typing import Any

from flex.errors import ParseError

_JSON_FENCE = re.compile(r"```[ \t]*json[ \t]*\r?\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE)
_ANY_FENCE = re.compile(r"^[ \t]*```.*\n", re.MULTILINE)
_THINK_TAG = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
# TeX in a JSON string whose backslashes were not doubled: no escape at all, or one that would swallow a command.
_TEX = re.compile(
    r"(?<!\\)((?:\\\\)*)\\(?=[^\"\\/bfnrtu]|u(?![0-9a-fA-F]{4})|[bf][a-zA-Z]"
    r"|t(?:imes|ext|heta|riangle|frac|ilde|an|o)\b|r(?:ight|ho|angle)\b|n(?:eq|mid|abla|ot)\b|t(?:ext|frac)\w*\{)"
)


def last_tag(text: str, tag: str) -> str | None:
    """The stripped content of the last `<tag>...</tag>`, None when there is none."""
    head, closing, _ = _rpartition(text, f"</{tag}>")
    _, opening, content = _rpartition(head, f"<{tag}>")
    return content.strip() if closing and opening else None


def quoted(text: str, tag: str) -> str:
    """A model's text that can stand between `<tag>` and `</tag>` in a prompt: it cannot end them or pass a verdict."""
    return re.sub(rf"<(?=\s*/\s*{tag}\b|[\s/]*next_step\b)", "< ", text, flags=re.IGNORECASE)


def last_json(text: str) -> dict[str, Any]:
    """The object in the last fenced json block; a bare object that is the whole reply counts too.

    Backslashes of TeX commands may stand undoubled. Raises ParseError, saying what is wrong, when there is no block or
    it is not valid JSON.
    """
    block = _TEX.sub(r"\1\\\\", _last_block(text))
    try:
        value = json.loads(block, strict=False)
    except ValueError as error:  # a number of 5,000 digits is no JSONDecodeError
        raise ParseError(f"the reply has to end in one fenced json block with valid JSON ({error})") from error
    except RecursionError as error:
        raise ParseError("the json block is nested too deeply") from error
    if not isinstance(value, dict):
        raise ParseError(f"the json block has to hold an object, not {type(value).__name__}")
    return value


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


def _last_block(text: str) -> str:
    if blocks := _JSON_FENCE.findall(text):
        return str(blocks[-1]).rstrip().removesuffix("```")
    parts = _ANY_FENCE.split(text + "\n")  # outside, inside, outside, ...
    return parts[-2 if len(parts) % 2 else -1] if len(parts) > 1 else text.strip()


def _rpartition(text: str, separator: str) -> tuple[str, str, str]:
    # Not text.lower().rfind(): lower case may be longer ("İ"), and then the places are others.
    found = [match.span() for match in re.finditer(re.escape(separator), text, re.IGNORECASE)]
    return (text[: found[-1][0]], separator, text[found[-1][1] :]) if found else ("", "", text)
