"""How OpenAI-compatible endpoints reply: a body or a stream, thinking apart or within, usage in several spellings."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from flex.endpoint.chat_templates import read
from flex.endpoint.failures import NO_CHOICES, Failure, failure_within, number, shorten
from flex.text import valid_utf8
from flex.types import Ending, Reply, Usage

_STREAM = (b"data:", b"event:", b":")
_COMMENTS = re.compile(r"\A(?:\s*:[^\n]*(?:\n|\Z))*\s*")
"""How a gateway keeps a connection alive until its reply is there: `: OPENROUTER PROCESSING`."""

_ENDINGS: tuple[tuple[Ending, re.Pattern[str]], ...] = (
    ("filtered", re.compile("filter|safety|recitation|prohibit|block|spii|refus|guardrail|toxic|sensitive|moderation")),
    ("error", re.compile("error|abort|cancel|malformed|unexpected|insufficient|fail|timeout|interrupt")),
    ("length", re.compile("length|max.?(output.?)?tokens|limit|context_window|incomplete")),
    ("tool_calls", re.compile("tool|function")),
)
"""The endpoints' words for how a reply ended, the first pattern that is in them counts; else it ended by itself."""


def decode(content: bytes, text: str) -> Any:
    """The JSON of a reply, or of a stream of events that nobody asked for. Raises ValueError.

    `text` is the content as its header declares it, for those who write no UTF-8; comments may stand before it.
    """
    try:
        if content.lstrip().startswith(_STREAM):
            bare = _COMMENTS.sub("", text)
            return json.loads(bare) if bare.startswith("{") else _assembled(text)
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
    end = next((choice for choice in choices if choice.get("finish_reason")), {})
    if not end and "[DONE]" not in lines:
        raise ValueError("the stream breaks off")
    deltas = [_dict(choice.get("delta") or choice.get("message")) for choice in choices]
    parts = [_text_of(delta) for delta in deltas]
    message = {
        "content": "".join(text for text, _ in parts),
        "reasoning_content": "".join(why for _, why in parts),
        "refusal": "".join(delta["refusal"] for delta in deltas if isinstance(delta.get("refusal"), str)),
        "tool_calls": _joined_calls(call for delta in deltas for call in delta.get("tool_calls") or ()),
    }
    usage = next((chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage")), None)
    return {"choices": [{**end, "message": message}] if choices else [], "usage": usage}


def _joined_calls(deltas: Iterable[Any]) -> list[Mapping[str, Any]]:
    """The tool calls of a stream: a name, then its arguments piece by piece."""
    calls: dict[Any, dict[str, str]] = {}
    for delta in map(_dict, deltas):
        function, call = (
            _dict(delta.get("function")),
            calls.setdefault(delta.get("index"), {"name": "", "arguments": ""}),
        )
        for key in call:
            call[key] += function.get(key) or ""
    return [{"function": call} for call in calls.values()]


def parse_reply(body: Any, stop: Collection[str] = ()) -> Reply | Failure:
    """Read a chat completion; a 200 without one is a Failure, with the status the body itself gives if it gives one.

    `stop` are sequences to be cut off here, whether or not the endpoint took them.
    """
    if not isinstance(body, dict):
        return Failure(200, f"a reply that is no chat completion: {shorten(body, 80)}")
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message = choice.get("message")
    if error := body.get("error") or choice.get("error"):
        return failure_within(error)
    if not choice and (feedback := _dict(body.get("promptFeedback") or body.get("prompt_feedback"))):
        choice = {"finish_reason": f"blocked {feedback.get('blockReason') or feedback.get('block_reason')}"}
    if not isinstance(message, dict):
        message = {}
        if _ending(choice, message, "", False) not in ("filtered", "length"):
            return Failure(
                200, f"a reply without choices: {shorten(body, 120)}", "" if "choices" in body else NO_CHOICES
            )
    text, thinking = _text_of(message)
    visible, thought = read(text)
    calls = _tool_calls(message)
    ends = [place for sequence in stop if (place := visible.find(sequence)) >= 0]
    return Reply(
        text=visible[: min(ends)].rstrip() if ends else visible,
        reasoning="\n\n".join(part for part in (thinking.strip(), thought) if part),
        usage=parse_usage(body.get("usage")),
        finish_reason="stop" if ends else _ending(choice, message, visible, bool(calls)),
        calls=calls,
    )


def _ending(choice: Mapping[str, Any], message: Mapping[str, Any], text: str, called: bool) -> Ending:
    """How a reply ended, from the endpoint's words for it; a gateway's `native_finish_reason` may know more."""
    words = [str(choice.get(key) or "").casefold() for key in ("finish_reason", "native_finish_reason")]
    found = next((ending for word in words for ending, pattern in _ENDINGS if pattern.search(word)), None)
    if found and (found != "tool_calls" or called or text):
        return found
    if message.get("refusal"):
        return "filtered"
    return "stop" if text else "tool_calls" if called else "empty"


def _tool_calls(message: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Calls of tools, in OpenAI's form of today or of 2023."""
    calls = message.get("tool_calls")
    functions = [_dict(_dict(call).get("function")) for call in calls] if isinstance(calls, list) else []
    functions = functions or [_dict(message.get("function_call"))]
    return tuple((str(f["name"]), _arguments(f.get("arguments"))) for f in functions if f.get("name"))


def _arguments(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


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
    said = _count(usage.get("completion_tokens"), usage.get("output_tokens"))
    return Usage(
        calls=1,
        prompt_tokens=_count(
            usage.get("prompt_tokens"), usage.get("input_tokens"), _count(usage.get("total_tokens")) - said
        ),
        cached_tokens=_count(
            prompt.get("cached_tokens"), usage.get("prompt_cache_hit_tokens"), usage.get("cached_tokens")
        ),
        completion_tokens=said,
        reasoning_tokens=_count(completion.get("reasoning_tokens"), usage.get("reasoning_tokens")),
    )


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(*candidates: Any) -> int:
    """The first that is a number; gateways send null, "12" and 12.0 too."""
    return next((max(int(n), 0) for n in map(number, candidates) if n is not None), 0)
