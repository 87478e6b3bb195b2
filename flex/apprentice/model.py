"""The apprentice in process, at the seam where every role meets its model."""

from collections.abc import Mapping, Sequence
from typing import Any

from flex.apprentice.text import cut_at, estimated_tokens, prompt_tokens
from flex.types import Message, Reply, Usage


class ApprenticeModel:
    """A `Model` without an endpoint; it replies at once, on the calling thread."""

    def __init__(self, name: str = "apprentice", role: str = "actor") -> None:
        self.name = name
        self.role = role

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        stop: Sequence[str] | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        """The same reply as over HTTP, with the same estimate of tokens."""
        from rdkit import rdBase  # here, because RDKit takes a while to import

        from flex.apprentice.roles import reply

        with rdBase.BlockLogs():  # a guess that is no molecule is an ordinary event
            text = cut_at(reply(messages, self.name), stop or ())
        usage = Usage(calls=1, prompt_tokens=prompt_tokens(messages), completion_tokens=estimated_tokens(text))
        return Reply(text, usage=usage, finish_reason="stop")
