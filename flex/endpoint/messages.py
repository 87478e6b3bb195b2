"""Conversations in the shape that a model takes: some know no system role, some keep a schema."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flex.endpoint.failures import Failure
from flex.types import Message

_REFUSES_ROLES = re.compile(
    r"\bsystem.{0,12}(?:role|message|prompt|instruction)s?\b.{0,40}(?:\bnot\b|n't|unsupported)"
    r"|(?:\bnot|n't|\bno) (?:support|allow|accept|take|have)\w*(?: for)?(?: an?| the| any)? ?['\"`]?system\b"
    r"|developer instructions? (?:is|are) not|only (?:supports? )?['\"`]?user\b.{0,60}\broles?|roles? must alternate"
    r"|(?:unsupported|unexpected|invalid|unknown|unrecogni[sz]ed|bad) (?:message )?roles?\b|top-level .?system"
    r"|(?:\brole\b.{0,40}|tag )['\"`]?system\b|role: input should be|messages\W+0\W+role",
    re.IGNORECASE | re.DOTALL,
)


def refuses_roles(failure: Failure) -> bool:
    """Whether it is about a conversation with a system message, or one whose roles do not alternate."""
    said = f"{failure.param} {failure.code} {failure.message}"
    return failure.status in (400, 422, 500, 501) and bool(_REFUSES_ROLES.search(said))


def folded(messages: Sequence[Message]) -> list[Message]:
    """The conversation without a system role, which opens the first question instead; neighbours of one role joined."""
    folded: list[Message] = []
    for message in messages:
        role = "user" if message["role"] == "system" else message["role"]
        if folded and folded[-1]["role"] == role:
            folded[-1] = {**folded[-1], "content": f"{folded[-1]['content']}\n\n{message['content']}"}
        else:
            folded.append({**message, "role": role})
    return folded


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The option that asks an endpoint to keep a schema."""
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": schema}}


def is_schema(option: Any) -> bool:
    """Whether a `response_format` is such a one."""
    return isinstance(option, Mapping) and isinstance(option.get("json_schema"), Mapping)


def older_format(option: Mapping[str, Any]) -> dict[str, Any]:
    """The same in the words of servers that know JSON objects only; llama-cpp-python keeps the schema so."""
    return {"type": "json_object", "schema": option["json_schema"]["schema"]}
