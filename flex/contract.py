"""Ask a model for a reply that keeps a contract; one that breaks it is shown what was wrong, once."""

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from flex.errors import ParseError
from flex.parsing import last_json
from flex.prompt import Prompts
from flex.types import Message, Model

T = TypeVar("T")
Contract = TypeVar("Contract", bound=BaseModel)
log = logging.getLogger(__name__)


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    # Some endpoints refuse an empty message, and a model may have said nothing.
    return {"role": "assistant", "content": text or "(empty reply)"}


async def ask(
    model: Model, messages: Sequence[Message], parse: Callable[[str], T], prompts: Prompts, again: bool = True
) -> T:
    """What `parse` makes of the model's reply, or (`again`) of its second one, when the first broke the contract.

    Raises ParseError when that one breaks it too.
    """
    reply = await model.complete(messages)
    try:
        return parse(reply.text)
    except ParseError as error:
        if not again:
            raise
        log.info("%s is asked again: %s", model.name, error)
        problem = user(prompts.render("reask", problem=str(error)))
        return parse((await model.complete([*messages, assistant(reply.text), problem])).text)


def fitted(contract: type[Contract], text: str) -> Contract:
    """The last json block of a reply as its contract; null counts as left out. Raises ParseError naming every field."""
    given = {key: value for key, value in last_json(text).items() if value is not None}
    try:
        return contract.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ParseError(f"the json block does not fit its contract: {problems}") from error
