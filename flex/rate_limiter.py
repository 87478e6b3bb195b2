"""What roles speak to: a model of the endpoint, and the client that all of them share (flex/endpoint/client.py)."""

from collections.abc import Mapping, Sequence
from typing import Any

from flex.endpoint.client import RateLimitedLLMClient as RateLimitedLLMClient
from flex.types import Message, Reply


class ChatModel:
    """A model of the endpoint in one role (a `flex.types.Model`), with the role's sampling options.

    Without a client, one is made from the environment at the first call.
    """

    def __init__(
        self,
        name: str,
        client: RateLimitedLLMClient | None = None,
        *,
        role: str = "",
        temperature: float | None = None,
        max_tokens: int | None = None,
        reasoning_effort: str | None = None,
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.role = role
        self._client = client
        self._options: dict[str, Any] = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "reasoning_effort": reasoning_effort,
            "extra_body": extra_body,
        }

    @property
    def client(self) -> RateLimitedLLMClient:
        """The client behind it. Raises SettingsError when it has to be made and there are no settings."""
        if self._client is None:
            self._client = RateLimitedLLMClient()
        return self._client

    def bound(self, client: RateLimitedLLMClient) -> "ChatModel":
        """The same model, reached through this client."""
        return ChatModel(self.name, client, role=self.role, **self._options)

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        stop: Sequence[str] | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Reply:
        """Ask for one reply; raises as `RateLimitedLLMClient.complete` does."""
        return await self.client.complete(
            self.name, messages, role=self.role, stop=stop, schema=schema, **self._options
        )
