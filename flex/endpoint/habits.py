"""What the models of a run have shown to take, to refuse and to do, so that each is found out once."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flex.endpoint.calls import A, Call
from flex.endpoint.failures import Failure
from flex.endpoint.messages import folded, is_schema, older_format, refuses_roles
from flex.types import Message, Reply, Usage

_log = logging.getLogger("flex.rate_limiter")  # the client's public home

UNTESTED = (400, 404, 422, 500, 501)
"""How a server that cannot keep a schema may fail, in whatever words, before it has once kept one."""
EMPTY_RETRIES = 3
"""An empty reply may have been paid for: its thinking; so it is asked for less often than one that failed."""
CHARACTERS_A_TOKEN = 7
"""More than any text of ours has: a prompt that seems to have more was cut."""
USUAL_CHARACTERS_A_TOKEN = 4
"""By which tokens are estimated that an endpoint does not count."""
LEAST_CUT = 500
"""Tokens that are left of a prompt that was cut; fewer mean that the server counted otherwise."""
HARMLESS = ("stop", "max_tokens", "response_format")
"""Parameters that we make good for: a reply is cut and validated here, a limit has a second name."""


class Habits:
    """Of all models of one client, by name."""

    def __init__(self, max_retries: int) -> None:
        self.notes: dict[str, None] = {}
        """What changes the meaning of the run, each once, in order."""
        self._max_retries = max_retries
        self._refused: dict[str, set[str]] = {}
        self._without_system: set[str] = set()
        self._keeps_schema: set[str] = set()
        self._objects_only: set[str] = set()
        self._silent: set[str] = set()

    def note(self, text: str) -> None:
        """Add to the notes, and log it, unless it is there already."""
        if text not in self.notes:
            self.notes[text] = None
            _log.warning("%s", text)

    def accepted(self, call: Call[A]) -> dict[str, Any]:
        """The options without what this model refused before; max_tokens under the name that it takes."""
        refused = self._refused.get(call.model, set())
        sent = dict(call.options)
        if "max_tokens" in refused and "max_tokens" in sent:
            sent.setdefault("max_completion_tokens", sent["max_tokens"])
        if call.model in self._objects_only and is_schema(sent.get("response_format")):
            sent["response_format"] = older_format(sent["response_format"])
        return {name: value for name, value in sent.items() if name not in refused}

    def messages(self, model: str, messages: Sequence[Message]) -> Sequence[Message]:
        """The conversation in the shape that the model takes."""
        return folded(messages) if model in self._without_system else messages

    def refuse(self, call: Call[A], name: str, value: Any, reason: str) -> None:
        """Remember a parameter that the model refuses, or in which form it does."""
        if name == "response_format" and is_schema(value) and "json_object" in reason:
            self._objects_only.add(call.model)
            return
        refused = self._refused.setdefault(call.model, set())
        if name not in refused:
            refused.add(name)
            tell = _log.info if name in HARMLESS else self.note
            tell(f"{call} refuses {name}={value!r} and is asked without it: {reason}")

    def reshaped(self, call: Call[A], failure: Failure, reason: str) -> Call[A] | None:
        """The call in a shape that the model takes, if it is that what it refuses; remembered for its other calls."""
        if failure.status in UNTESTED and "response_format" in call.options and call.model not in self._keeps_schema:
            self.refuse(call, "response_format", self.accepted(call)["response_format"], reason)
            return call
        messages = call.content.get("messages")
        if not messages or not refuses_roles(failure) or (other := folded(messages)) == messages:
            return None
        self._without_system.add(call.model)
        self.note(f"{call} takes no system message: it opens the first question instead ({reason})")
        return replace(call, content={**call.content, "messages": other})

    def answered(self, call: Call[A], sent: Mapping[str, Any], usage: Usage) -> None:
        """Learn from an answer; note a server that cuts long prompts without a word, as Ollama does."""
        if "response_format" in sent:
            self._keeps_schema.add(call.model)
        tokens = usage.prompt_tokens + usage.cached_tokens  # some do not count what was cached among the others
        if call.completes and LEAST_CUT <= tokens < call.characters / CHARACTERS_A_TOKEN:
            self.note(
                f"{call} saw only a part of a long prompt, by its count of tokens: its server cuts what is longer than "
                "its context; raise that (Ollama: num_ctx)"
            )

    def counted(self, call: Call[A], answer: A) -> Usage:
        """What an answer cost: estimated by its characters where the endpoint counts no tokens, so budgets hold."""
        usage = answer.usage
        said = len(answer.text) + len(answer.reasoning) if isinstance(answer, Reply) else 0
        if usage.tokens or (call.completes and not said):  # a filter that lets nothing through counts nothing
            return usage
        self.note(
            f"{call} does not say how many tokens it used: they are estimated, {USUAL_CHARACTERS_A_TOKEN} characters "
            "a token, and so is what they cost"
        )
        prompt, completion = (math.ceil(length / USUAL_CHARACTERS_A_TOKEN) for length in (call.characters, said))
        return replace(usage, prompt_tokens=prompt, completion_tokens=completion)

    def is_settled(self, call: Call[A], answer: A, retries: int) -> bool:
        """Whether an answer stands; an empty or broken one only when asking again did not help, or just did not."""
        ending = answer.finish_reason if isinstance(answer, Reply) else "stop"
        if ending == "tool_calls" and isinstance(answer, Reply) and not answer.text and "stop" not in call.options:
            ending = "empty"  # only agents, who alone set stop sequences, can do with the call of a tool
        if ending not in ("empty", "error"):
            self._silent.discard(call.model)
            return True
        limit = self._max_retries if ending == "error" else min(EMPTY_RETRIES, self._max_retries)
        if call.model not in self._silent and retries < limit:
            return False
        self._silent.add(call.model)
        return True
