"""Chat messages as plain text, the sections of a prompt, and what real endpoints count and cut."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Messages = Sequence[Mapping[str, Any]]

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4

answers_in = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE).findall
"""What stands in answer tags, in order."""
rounds_in = re.compile(r"<round\b[^<>]*>.*?</round>", re.DOTALL | re.IGNORECASE).findall
"""The rounds of a recorded rollout, their tags included."""
_AVOIDED_RULE = re.compile(r'(<rule\b[^<>]*kind="avoid"[^<>]*>).*?(</rule>)', re.DOTALL | re.IGNORECASE)
_HEADING = re.compile(r"[A-Z][A-Za-z, ]*:[ \t]*$|</?experience\b", re.MULTILINE)
"""A line of a retrieved entry that begins something else."""


def text_of(content: Any) -> str:
    """A message's content as text: a string, a list of parts, or nothing."""
    if isinstance(content, list):
        return "\n".join(part if isinstance(part, str) else str(part.get("text") or "") for part in content)
    return "" if content is None else str(content)


def texts(messages: Messages, *roles: str) -> list[str]:
    """The texts of the messages of these roles, in order."""
    return [text_of(m.get("content")) for m in messages if m.get("role") in roles]


def prompts(messages: Messages) -> list[str]:
    """What the apprentice is asked and answered after the system prompt: tasks, feedback, observations."""
    return [text_of(m.get("content")) for m in messages if m.get("role") not in ("assistant", "system", "developer")]


def first_prompt(messages: Messages) -> str:
    """The first message of the user: the task, perhaps after retrieved experience."""
    return next(iter(texts(messages, "user")), "")


def without_avoided(text: str) -> str:
    """The text without what it says is to be avoided: under the heading "Avoid:", and in rules of that kind."""
    kept, avoided = [], False
    for line in _AVOIDED_RULE.sub(r"\1\2", text).splitlines(keepends=True):
        if _HEADING.match(line):
            avoided = line.startswith("Avoid:")
        if not avoided:
            kept.append(line)
    return "".join(kept)


def section(text: str, *names: str) -> str | None:
    """The last `<name>...</name>`, else the last labelled line or paragraph (`Name: ...`, `## Name`), or None."""
    tags = "|".join(names)
    found = re.findall(rf"<({tags})\b[^<>]*>((?:(?!<(?:{tags})\b).)*?)</\1>", text, re.DOTALL | re.IGNORECASE)
    if found:
        return str(found[-1][1]).strip()
    labelled = re.findall(rf"^[ \t#*_>]*(?:{tags})\b[^:\n]{{0,30}}(?::|$)[*_ \t]*\n*[ \t]*(\S.*)$", text, re.I | re.M)
    return str(labelled[-1]).strip() if labelled else None


def estimated_tokens(text: str) -> int:
    """About one token for every four characters."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def prompt_tokens(messages: Messages) -> int:
    """The estimate for a whole conversation."""
    return sum(TOKENS_PER_MESSAGE + estimated_tokens(text_of(message.get("content"))) for message in messages)


def cut_at(text: str, stop: Sequence[str]) -> str:
    """The text up to the first stop sequence in it."""
    places = [text.find(word) for word in stop if word and word in text]
    return text[: min(places)] if places else text
