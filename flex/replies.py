"""Reading a model's reply: tags, fenced JSON, an experience; and asking once more when a reply breaks its contract."""

import json
import logging
import math
import re
from ast import literal_eval
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator, model_validator

from flex.errors import ParseError
from flex.library.entry import PRIORITIES, as_text
from flex.library.merging import distinct, over_caps
from flex.prompt import Prompts
from flex.types import Experience, Message, Model, Rule, RuleKind, Zone

T = TypeVar("T")
Contract = TypeVar("Contract", bound=BaseModel)
log = logging.getLogger(__name__)

_JSON_FENCE = re.compile(r"```[ \t]*json[ \t]*\r?\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE)
_ANY_FENCE = re.compile(r"^[ \t]*```.*\n", re.MULTILINE)
_TEX = re.compile(
    r"(?<!\\)(?:\\\\)*(?P<slash>\\)(?:"
    r"[^\"'\\/bfnrtu]|u(?![0-9a-fA-F]{4})|[bfr][a-zA-Z]"  # no escape of JSON, or one that nobody means
    r"|t(?:imes|ext[a-z]*|heta|h(?:ick|in)(?:space|sim|approx)|riangle[a-z]*|[bf]rac|binom|ilde|herefore|a[nu]|anh|ag|op?)"
    r"(?![a-zA-Z])"
    r"|n(?:eq+|mid|abla|ot(?:in|ni)?|earrow|warrow|eg|[lg]e?q+(?:slant)?|gtr|cong|subset(?:eq)?|supset(?:eq)?|rightarrow"
    r"|leftarrow|Rightarrow|Leftarrow|ewline|olimits|atural|onumber|orm|prec|succ)(?![a-zA-Z])"
    r"|n(?P<short>(?:u|less|parallel|exists|sim)(?![a-zA-Z])|[ei](?![a-zA-Z.):])))"
)
"""A backslash of TeX in a JSON string that was not doubled; a real line break may stand before a word, too."""
_BEFORE_COMMAND = re.compile(r"(?:\A|[ ({\[$=+*/^_&|<>-]|\\(?:[a-mo-su-z]\w+|tau|theta|to|nu))\Z", re.IGNORECASE)
"""What a line does not end in, and a formula goes on after."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_QUOTE = re.compile(r"(?<!\\)\\'")
_NO_JSON = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/|^[ \t]*#[^\n]*', re.DOTALL | re.MULTILINE)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)

_MARKED = re.compile(
    r"</answer>|\\f?boxed\s*\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*+\}){0,400}+\}|####[ \t]*[-+$€£]*\d[\d.,/]*%?[ \t]*\r?\n",
    re.IGNORECASE,
)
_GOES_ON = re.compile(
    r"\A\W{0,3}\?|<answer>|\\f?boxed|^####|\bno[,.;!]|\bnot (?:right|correct|it|the answer)\b|\b(?:wait|wrong|incorrect"
    r"|mistake|actually|hmm+|however|instead|next|now|try|second|third|remain\w*|so we|need)\b"
    r"|\b(?:case|step|part) \(?[\da-d]",
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

    Backslashes of TeX commands need not be doubled; comments, trailing commas and single quotes are passed over, and
    of a list with one object that one counts. Raises ParseError, saying what is wrong, when there is no block or it is
    not valid JSON; one that was cut off never is.
    """
    block = _TEX.sub(_doubled, _last_block(text))
    try:
        value = _loads(block)
    except ValueError as error:  # a number of 5,000 digits is no JSONDecodeError
        raise ParseError(f"the reply has to end in one fenced json block with valid JSON ({error})") from error
    except RecursionError as error:
        raise ParseError("the json block is nested too deeply") from error
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise ParseError(f"the json block has to hold an object, not {type(value).__name__}")
    return value


def _loads(block: str) -> Any:
    """JSON, or what models write for it, read strictly all the same: what is not closed is an error."""
    try:
        return _without_controls(json.loads(block, strict=False))
    except ValueError:
        block = block[max(block.find("{"), 0) :]
        if re.match(r"\{\s*'", block):  # as Python writes it
            with suppress(ValueError, SyntaxError, MemoryError):
                return _without_controls(literal_eval(block[: block.rfind("}") + 1]))
        bare = _TRAILING_COMMA.sub(r"\1", _NO_JSON.sub(r"\1", _QUOTE.sub("'", block)))
        bare = bare[max(bare.find("{"), 0) :]
        with suppress(ValueError):
            value, end = json.JSONDecoder(strict=False).raw_decode(bare)
            if not re.search(r'\{\s*"', bare[end:]):  # words may follow, but not another object
                return _without_controls(value)
        raise


def _without_controls(value: Any) -> Any:
    """Texts in it without characters that only an escape by mistake can have meant."""
    if isinstance(value, str):
        return _CONTROL.sub("", value.replace("\r\n", "\n"))
    if isinstance(value, list):
        return [_without_controls(item) for item in value]
    return {key: _without_controls(item) for key, item in value.items()} if isinstance(value, dict) else value


def _doubled(tex: re.Match[str]) -> str:
    """The command with its backslash doubled, unless it is a line break before a short word that is no command here."""
    if tex["short"]:
        string = tex.string[: tex.start("slash")].rpartition('"')[2]
        if not _BEFORE_COMMAND.search(string) and string.count("$") % 2 == 0:
            return tex[0]
    place = tex.start("slash") - tex.start()
    return f"{tex[0][:place]}\\{tex[0][place:]}"


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
    model: Model,
    messages: Sequence[Message],
    parse: Callable[[str], T],
    prompts: Prompts,
    *,
    retry: bool = True,
    contract: type[BaseModel] | None = None,
) -> T:
    """What `parse` makes of the model's reply, or (with `retry`) of its second one, when the first broke the contract.

    An endpoint that can holds the first one to the JSON of `contract`. Raises ParseError when the second breaks it too.
    """
    reply = await (model.complete(messages, schema=schema_of(contract)) if contract else model.complete(messages))
    try:
        return parse(reply.text)
    except ParseError as error:
        if not retry:
            raise
        log.info("%s is asked again: %s", model.name, error)
        brief = " (the reply was cut off at the token limit: be brief)" if reply.finish_reason == "length" else ""
        problem = user(prompts.render("reask", problem=f"{error}{brief}"))
        return parse((await model.complete([*messages, assistant(reply.text), problem])).text)


@cache
def schema_of(contract: type[BaseModel]) -> Mapping[str, Any]:
    """The JSON schema of a contract in what all endpoints understand: every field required, no bounds, nothing else.

    It begins with room to think, which a reply that is nothing but JSON would not have.
    """
    schema = contract.model_json_schema()
    shared = schema.get("$defs", {})

    def plain(part: Any) -> Any:
        if "$ref" in part:
            return plain(shared[part["$ref"].rpartition("/")[2]])
        kept = {key: part[key] for key in ("type", "enum") if key in part}
        if "anyOf" in part:
            kept["anyOf"] = [plain(choice) for choice in part["anyOf"]]
        if "items" in part:
            kept["items"] = plain(part["items"])
        if "properties" in part:
            kept["properties"] = {name: plain(value) for name, value in part["properties"].items()}
            kept |= {"required": list(kept["properties"]), "additionalProperties": False}
        return kept

    whole = plain(schema)
    fields = {"thoughts": {"type": "string"}, **whole["properties"]}
    return {**whole, "properties": fields, "required": list(fields)}


def parse_json_as(contract: type[Contract], text: str) -> Contract:
    """The last json block of a reply as its contract; null counts as left out, and one wrapping is taken off.

    Raises ParseError naming every field.
    """
    given = _named(last_json(text))
    if not contract.model_fields.keys() & given.keys():
        parts = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in given.values()]
        inner = [part for part in parts if isinstance(part, dict)]
        given = _named(inner[0]) if len(inner) == 1 else given
    try:
        return contract.model_validate({key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ParseError(f"the json block does not fit its contract: {problems}") from error


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields under the names of a contract, however they are capitalised."""
    return {key.strip().casefold().replace(" ", "_").replace("-", "_"): value for key, value in given.items()}


def _listed(value: Any) -> Any:
    """Also what is numbered instead of listed: {"1": ..., "2": ...}."""
    if isinstance(value, dict) and value and all(re.fullmatch(r"\D*\d+", str(key)) for key in value):
        return list(value.values())
    return value if isinstance(value, list) else [] if value is None else [value]


Text = Annotated[str, BeforeValidator(lambda value: as_text(value) if isinstance(value, list | dict) else value)]
"""What is parted into points is joined."""
Listed = BeforeValidator(_listed)
"""What stands alone is a list of one."""


class _RuleReply(BaseModel):
    rule: Annotated[Text, Field(min_length=1)]
    examples: Annotated[list[Text], Listed] = []

    @model_validator(mode="before")
    @classmethod
    def _a_bare_text_is_a_rule(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return {"rule": value} if isinstance(value, str) else value
        given = _named(value)
        return {"rule": given.get("text"), "examples": given.get("example"), **given}


class _KindedRuleReply(_RuleReply):
    kind: RuleKind | None = None

    @field_validator("kind", mode="before")
    @classmethod
    def _a_known_kind(cls, value: Any) -> Any:
        word = value.strip().lower() if isinstance(value, str) else value
        return word if word in get_args(RuleKind) else None


class ExperienceReply(BaseModel):
    """What a critic's reply holds."""

    method: Annotated[Text, Field(min_length=1)]
    rules: Annotated[list[_RuleReply], Listed, Field(min_length=1)]
    revised_trajectory: Text = ""
    problem_category: Text = ""
    priority: int = 1

    @field_validator("priority", mode="before")
    @classmethod
    def _from_one_to_five(cls, value: Any) -> Any:
        """Also as a word, "4" or "4/5 (high)"."""
        if isinstance(value, str):
            word = value.strip().casefold().replace("_", " ")
            digits = re.search(r"\d+", value)
            value = PRIORITIES.get(word, int(digits[0][:9]) if digits else value)
        return min(max(round(value), 1), 5) if isinstance(value, int | float) and math.isfinite(value) else value


class LessonReply(ExperienceReply):
    """What it holds of a failure: each rule says whether it is to be avoided.

    Nobody is asked that of a success: a weak model would mark what is right.
    """

    rules: Annotated[list[_KindedRuleReply], Listed, Field(min_length=1)]  # type: ignore[assignment]


def parse_experience(text: str, zone: Zone, contract: type[ExperienceReply] = ExperienceReply) -> Experience:
    """The experience in the last json block of a critic's reply; its rules are of kinds where the contract has them.

    Raises ParseError naming every bad field, or what is too large for an entry.
    """
    reply = parse_json_as(contract, text)
    experience = Experience(
        method=reply.method,
        rules=distinct(Rule(r.rule, tuple(r.examples), getattr(r, "kind", None)) for r in reply.rules),
        revised_trajectory=reply.revised_trajectory,
        zone=zone,
        problem_category=reply.problem_category,
        priority=reply.priority,
    )
    if problem := over_caps(experience):
        raise ParseError(f"the entry is too large: {problem}; keep what is most general and shorten the examples first")
    return experience
