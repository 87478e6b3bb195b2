"""Reading a model's reply: tags, fenced JSON, an experience; and asking once more when a reply breaks its contract."""

import json
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator

from flex.errors import ParseError
from flex.library.merging import distinct, over_caps
from flex.prompt import Prompts
from flex.types import Experience, Message, Model, Rule, RuleKind, Zone

T = TypeVar("T")
Contract = TypeVar("Contract", bound=BaseModel)
log = logging.getLogger(__name__)

_JSON_FENCE = re.compile(r"```[ \t]*json[ \t]*\r?\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE)
_ANY_FENCE = re.compile(r"^[ \t]*```.*\n", re.MULTILINE)
# TeX in a JSON string whose backslashes were not doubled: no escape at all, or one that would swallow a command.
_TEX = re.compile(
    r"(?<!\\)((?:\\\\)*)\\(?=[^\"\\/bfnrtu]|u(?![0-9a-fA-F]{4})|[bf][a-zA-Z]"
    r"|t(?:imes|ext|heta|riangle|frac|ilde|an|o)\b|r(?:ight|ho|angle)\b|n(?:eq|mid|abla|ot)\b|t(?:ext|frac)\w*\{)"
)

_MARKED = re.compile(
    r"</answer>|\\f?boxed\s*\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*+\}){0,400}+\}|####[ \t]*[-+$€£]*\d[\d.,/]*%?[ \t]*\r?\n",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"\A\W{0,3}\?|<answer>|\\f?boxed|^####|\bno[,.;!]|\bnot (?:right|correct|it|the answer)\b|\b(?:wait|wrong|incorrect"
    r"|mistake|actually|hmm+|however|instead|next|now|try)\b|\b(?:case|step|part) \(?[\da-d]",
    re.IGNORECASE | re.MULTILINE,
)


def last_tag(text: str, tag: str) -> str | None:
    """The stripped content of the last `<tag>...</tag>`, None when there is none."""
    head, closing, _ = _rpartition(text, f"</{tag}>")
    _, opening, content = _rpartition(head, f"<{tag}>")
    return content.strip() if closing and opening else None


def last_answer(text: str) -> str | None:
    """The content of the last `<answer>` tag, even if a stop sequence took the closing one; None without a tag."""
    answer = last_tag(text, "answer")
    return text.rpartition("<answer>")[2] if answer is None and "<answer>" in text else answer


def answer_ends(text: str) -> list[int]:
    r"""Where the marked answers of a text end, the last few of them: `</answer>`, `\boxed{...}` and a line `#### 7`."""
    return [mark.end() for mark in _MARKED.finditer(text)][-3:]


def goes_on(text: str) -> bool:
    """Whether what stands behind a marked answer takes it back, or is on its way to another one."""
    return bool(_GOES_ON.search(text))


def escape_tag(text: str, tag: str) -> str:
    """A model's text, safe between `<tag>` and `</tag>` in a prompt: it cannot end that section or pass a verdict."""
    return re.sub(rf"<(?=\s*/\s*{tag}\b|[\s/]*next_step\b)", "< ", text, flags=re.IGNORECASE)


def last_json(text: str) -> dict[str, Any]:
    """The object in the last fenced json block; a bare object that is the whole reply counts too.

    Backslashes of TeX commands need not be doubled. Raises ParseError, saying what is wrong, when there is no block or
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


def _last_block(text: str) -> str:
    if blocks := _JSON_FENCE.findall(text):
        return str(blocks[-1]).rstrip().removesuffix("```")
    parts = _ANY_FENCE.split(text + "\n")  # outside, inside, outside, ...
    return parts[-2 if len(parts) % 2 else -1] if len(parts) > 1 else text.strip()


def _rpartition(text: str, separator: str) -> tuple[str, str, str]:
    # Not text.lower().rfind(): lower case may be longer ("İ"), and then the places are others.
    found = [match.span() for match in re.finditer(re.escape(separator), text, re.IGNORECASE)]
    return (text[: found[-1][0]], separator, text[found[-1][1] :]) if found else ("", "", text)


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    # Some endpoints refuse an empty message, and a model may have said nothing.
    return {"role": "assistant", "content": text or "(empty reply)"}


async def ask(
    model: Model, messages: Sequence[Message], parse: Callable[[str], T], prompts: Prompts, retry: bool = True
) -> T:
    """What `parse` makes of the model's reply, or (with `retry`) of its second one, when the first broke the contract.

    Raises ParseError when that one breaks it too.
    """
    reply = await model.complete(messages)
    try:
        return parse(reply.text)
    except ParseError as error:
        if not retry:
            raise
        log.info("%s is asked again: %s", model.name, error)
        problem = user(prompts.render("reask", problem=str(error)))
        return parse((await model.complete([*messages, assistant(reply.text), problem])).text)


def parse_json_as(contract: type[Contract], text: str) -> Contract:
    """The last json block of a reply as its contract; null counts as left out. Raises ParseError naming every field."""
    given = {key: value for key, value in last_json(text).items() if value is not None}
    try:
        return contract.model_validate(given)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ParseError(f"the json block does not fit its contract: {problems}") from error


class _RuleReply(BaseModel):
    rule: str = Field(min_length=1)
    examples: list[str] = []
    kind: RuleKind | None = None

    @field_validator("kind", mode="before")
    @classmethod
    def _a_known_kind(cls, value: Any) -> Any:
        word = value.strip().lower() if isinstance(value, str) else value
        return word if word in get_args(RuleKind) else None

    @field_validator("examples", mode="before")
    @classmethod
    def _one_example_is_a_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class _ExperienceReply(BaseModel):
    method: str = Field(min_length=1)
    rules: list[_RuleReply] = Field(min_length=1)
    revised_trajectory: str = ""
    problem_category: str = ""
    priority: int = 1

    @field_validator("priority")
    @classmethod
    def _from_one_to_five(cls, value: int) -> int:
        return min(max(value, 1), 5)


def parse_experience(text: str, zone: Zone) -> Experience:
    """The experience in the last json block of a critic's reply.

    Raises ParseError naming every bad field, or what is too large for an entry.
    """
    reply = parse_json_as(_ExperienceReply, text)
    experience = Experience(
        method=reply.method,
        rules=distinct(Rule(r.rule, tuple(r.examples), r.kind) for r in reply.rules),
        revised_trajectory=reply.revised_trajectory,
        zone=zone,
        problem_category=reply.problem_category,
        priority=reply.priority,
    )
    if problem := over_caps(experience):
        raise ParseError(f"the entry is too large: {problem}; keep what is most general and shorten the examples first")
    return experience
