"""How OpenAI-compatible endpoints reply: a body or a stream, thinking apart or within, usage in several spellings."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from flex.endpoint.failures import Failure, failure_within, number, shorten
from flex.text import valid_utf8
from flex.types import Ending, Reply, Usage

_STREAM = (b"data:", b"event:", b":")
_THINK_TAG = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)

_ENDINGS: Mapping[str, Ending] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "filtered",
    "safety": "filtered",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "error": "error",
}
"""What endpoints call the ways in which a reply ends; everything else is an end by itself."""


def decode(content: bytes, text: str) -> Any:
    """The JSON of a reply, or of a stream of events that nobody asked for. Raises ValueError.

    `text` is the content as its header declares it, for those who write no UTF-8.
    """
    try:
        if content.lstrip().startswith(_STREAM):
            return _assembled(text)
        return json.loads(content)
    except UnicodeDecodeError:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("brackets without end") from error


def is_page(content: bytes) -> bool:
    """Whether it is neither JSON, maybe cut off, nor a stream, nor nothing at all."""
    return bool(content.strip()) and not content.lstrip().startswith((b"{", *_STREAM))


def _assembled(text: str) -> Mapping[str, Any]:
    """The chat completion that a stream of chunks amounts to. Raises ValueError when it breaks off."""
    lines = [line[5:].strip() for line in text.split("\n") if line.startswith("data:")]
    chunks = [_dict(json.loads(line)) for line in lines if line != "[DONE]"]
    if failed := next((chunk for chunk in chunks if chunk.get("error")), None):
        return failed
    choices = [
        choice for chunk in chunks for choice in map(_dict, chunk.get("choices") or ()) if not choice.get("index")
    ]
    finish = next((choice["finish_reason"] for choice in choices if choice.get("finish_reason")), None)
    if finish is None and "[DONE]" not in lines:
        raise ValueError("the stream breaks off")
    parts = [_text_of(_dict(choice.get("delta") or choice.get("message"))) for choice in choices]
    message = {"content": "".join(text for text, _ in parts), "reasoning_content": "".join(why for _, why in parts)}
    usage = next((chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage")), None)
    return {"choices": [{"message": message, "finish_reason": finish}] if choices else [], "usage": usage}


def parse_reply(body: Any, stop: Collection[str] = ()) -> Reply | Failure:
    """Read a chat completion; a 200 without one is a Failure, with the status the body itself gives if it gives one.

    `stop` are sequences that the endpoint did not take, to be cut off here.
    """
    if not isinstance(body, dict):
        return Failure(200, f"a reply that is no chat completion: {shorten(body, 80)}")
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if error := body.get("error") or choice.get("error"):
        return failure_within(error)
    if not isinstance(message, dict):
        return Failure(200, f"a reply without choices: {shorten(body, 120)}")
    text, thinking = _text_of(message)
    visible, thought = split_thinking(text)
    ends = [place for sequence in stop if (place := visible.find(sequence)) >= 0]
    return Reply(
        text=visible[: min(ends)].rstrip() if ends else visible,
        reasoning="\n\n".join(part for part in (thinking.strip(), thought) if part),
        usage=parse_usage(body.get("usage")),
        finish_reason="stop" if ends else ending(choice.get("finish_reason"), visible),
    )


def ending(reason: Any, text: str) -> Ending:
    """How a reply with this visible text ended, from the endpoint's own word for it."""
    found = _ENDINGS.get(str(reason).casefold(), "stop")
    return "empty" if found == "stop" and not text else found


def _text_of(message: Mapping[str, Any]) -> tuple[str, str]:
    """The text of a message and its separate reasoning; the content may be None or a list of parts."""
    content = message.get("content") or message.get("refusal") or ""
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    if isinstance(content, list):
        thoughts = [part for part in content if _dict(part).get("type") in ("thinking", "reasoning")]
        reasoning = reasoning or [part.get("thinking") or part for part in thoughts]
        content = [part for part in content if part not in thoughts]
    return _flat(content), _flat(reasoning)


def _flat(value: Any) -> str:
    if isinstance(value, list):
        return "".join(map(_flat, value))
    if isinstance(value, dict):
        return _flat(value.get("text"))
    # Half of a surrogate pair, as cut by some tokenizers, could neither be sent nor written.
    return valid_utf8(value) if isinstance(value, str) else ""


def parse_usage(usage: Any) -> Usage:
    """The tokens an endpoint reports, as one call; zeros where it does not."""
    if not isinstance(usage, dict):
        return Usage(calls=1)
    prompt, completion = (_dict(usage.get(f"{side}_tokens_details")) for side in ("prompt", "completion"))
    return Usage(
        calls=1,
        prompt_tokens=_count(usage.get("prompt_tokens"), usage.get("input_tokens")),
        cached_tokens=_count(
            prompt.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens")
        ),
        completion_tokens=_count(usage.get("completion_tokens"), usage.get("output_tokens")),
        reasoning_tokens=_count(completion.get("reasoning_tokens"), usage.get("reasoning_tokens")),
    )


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(*candidates: Any) -> int:
    """The first that is a number; gateways send null, "12" and 12.0 too."""
    return next((max(int(n), 0) for n in map(number, candidates) if n is not None), 0)


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
