"""Tags and fenced JSON, read out of replies."""

import asyncio
from typing import ClassVar, Literal

import pytest
from pydantic import BaseModel, Field

from flex.errors import ParseError
from flex.prompt import Prompts
from flex.replies import (
    ask,
    escape_tag,
    last_json,
    last_tag,
    parse_experience,
    parse_json_as,
    schema_of,
    user,
)
from flex.testing import ScriptedModel
from flex.types import Rule
from tests.cpu_time import cpu_seconds_below
from tests.replies import fenced


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("<answer>42</answer>", "42"),
        ("<answer> 42\n</answer> and so on", "42"),
        ("<answer>1</answer><answer>2</answer>", "2"),
        ("<answer>1 <answer>2</answer>", "2"),
        ("<answer>1</answer> <answer>2", "1"),
        ("<ANSWER>x</Answer>", "x"),
        ("<answer>a\nb</answer>", "a\nb"),
        ("<answer></answer>", ""),
        ("İ <answer>42</answer>", "42"),  # its lower case is longer
        ("<answers>1</answers>", None),
        ("</answer>1<answer>", None),
        ("", None),
    ],
)
def test_the_last_tag_counts(text, content):
    assert last_tag(text, "answer") == content


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('I think\n```json\n{"a": 1}\n```\nDone.', {"a": 1}),
        ('```json\n{"a": 1}\n```\nno:\n```json\n{"a": 2}\n```', {"a": 2}),
        ('```\n{"a": 1}\n```', {"a": 1}),
        ('```JSON\r\n{"a": 1}\r\n```', {"a": 1}),
        ('``` json\n{"a": 1}```', {"a": 1}),
        ('  {"a": 1}\n', {"a": 1}),
        ('```json\n{"a": "two\nlines\tand a tab"}\n```', {"a": "two\nlines\tand a tab"}),
        ('```json\n{"a": "\\\\frac{1}{2} \\u00e9"}\n```', {"a": "\\frac{1}{2} é"}),
        ('```json\n{"a": {"b": [1, null, true]}}\n```', {"a": {"b": [1, None, True]}}),
    ],
)
def test_the_last_fenced_json_block_counts(text, value):
    assert last_json(text) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "fenced json block with valid JSON"),
        ("no json at all", "fenced json block with valid JSON"),
        ('```json\n{"a": [1, 2\n```', "fenced json block with valid JSON"),
        ('```json\n{"a": "half a', "fenced json block with valid JSON"),
        ('```json\n{"a": {"b": 1}, "c', "fenced json block with valid JSON"),
        ("```json\n{'a': 1, 'b\n```", "fenced json block with valid JSON"),
        ('```json\n[{"a": 1}, {"a": 2}]\n```', "an object, not list"),
        ('```json\n{"a": "x" "b"}\n```', "valid JSON"),
        ('```json\n{"a": 1}\n```\n```json\n{"a": \n```', "fenced json block with valid JSON"),
        ("```json\n[1, 2]\n```", "an object, not list"),
        ("```json\n42\n```", "an object, not int"),
        ('```json\n{"a": ' + "1" * 5000 + "}\n```", "valid JSON"),
        ("```json\nnull\n```", "an object, not NoneType"),
    ],
)
def test_a_reply_without_its_object_says_what_is_wrong(text, problem):
    with pytest.raises(ParseError, match=problem):
        last_json(text)


def test_a_reply_that_repeats_itself_is_read_in_time():
    with cpu_seconds_below(2):
        assert last_tag("<answer>" * 5_000 + "1</answer>", "answer") == "1"
        with pytest.raises(ParseError):
            last_json("```json\n" * 2_000)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"\frac{1}{2}", "\\frac{1}{2}"),
        (r"\\frac", "\\frac"),
        (r"\(x\)", r"\(x\)"),
        (r"3 \times 4", r"3 \times 4"),
        (r"\text{area} \theta \right) \neq", r"\text{area} \theta \right) \neq"),
        (r"a\nb\tc\"d\"\u00e9", 'a\nb\tc"d"é'),
        (r"\unit", r"\unit"),
        (r"\lfloor x \rfloor, A \rightarrow B, \rho", r"\lfloor x \rfloor, A \rightarrow B, \rho"),
        (r"x \notin S, \tau(n), \nu_2(n), a \ne b", r"x \notin S, \tau(n), \nu_2(n), a \ne b"),
        (r"\forall x \beta, \binom{n}{k} \bmod 7", r"\forall x \beta, \binom{n}{k} \bmod 7"),
        (r"\nu counts", r"\nu counts"),
        (r"(\nu, \rho\tau\nu)", r"(\nu, \rho\tau\nu)"),
        (r"Then\nu = 3", "Then\nu = 3"),
        (r"1.\nThen\nu = 3", "1.\nThen\nu = 3"),
        (r"$x\ne y$ and $p\nmid q$", r"$x\ne y$ and $p\nmid q$"),
        (r"\uparrow \underline{x} \u00e9", "\\uparrow \\underline{x} é"),
        (r"\to \tfrac12 \tan x \top", r"\to \tfrac12 \tan x \top"),
        (r"First.\nnow, then\nnot yet\nequal\nnumber\nnone", "First.\nnow, then\nnot yet\nequal\nnumber\nnone"),
        (r"a) one;\ne = 2,\ni = 3,\nu = 4", "a) one;\ne = 2,\ni = 3,\nu = 4"),
        (r"Cases: \ni) one \nii) two \ne.g. three", "Cases: \ni) one \nii) two \ne.g. three"),
        (r"1.\nless is more\nparallel lines\nexists", "1.\nless is more\nparallel lines\nexists"),
        (r"if x:\n\tif y:\n\t\ttop()\n\tother", "if x:\n\tif y:\n\t\ttop()\n\tother"),
        (r"line\r\nline", "line\nline"),
        (r"\b\f end", " end"),
        (r"it\'s", "it's"),
        (r"\\\\ \n", "\\\\ \n"),
    ],
)
def test_tex_with_single_backslashes_is_read_as_meant(written, meant):
    assert last_json('```json\n{"a": "' + written + '"}\n```') == {"a": meant}


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"a": [1, 2,], "b": "x, }",}\n```',
        '```json\n// the entry\n{"a": [1, 2], // two\n "b": "x, }"}\n```',
        '```json\n# the entry\n{"a": [1, 2], /* two\n of them */ "b": "x, }"}\n```',
        "```json\n{'a': [1, 2], 'b': 'x, }'}\n```",
        '```json\n[{"a": [1, 2], "b": "x, }"}]\n```',
        'Here it is: {"a": [1, 2], "b": "x, }"} I hope that helps.',
        'json\n{"a": [1, 2], "b": "x, }"}',
        '{"a": [1, 2], "b": "x, }"}\n\nThis entry {captures} it.',
        '```json\n{"a": [1, 2], "b": "x, }"}\n```\nI hope that helps, see // there.',
        '```json\n{"a": [1, 2], "b": "x, }"}',
    ],
)
def test_nearly_json_is_read(text):
    assert last_json(text) == {"a": [1, 2], "b": "x, }"}


def test_a_comment_mark_in_a_text_is_no_comment():
    assert last_json('```json\n{"a": "http://x/*y*/ # z",}\n```') == {"a": "http://x/*y*/ # z"}


@pytest.mark.parametrize(
    "entry",
    [
        {"experience": {"method": "m", "rules": ["r1", "r2"], "priority": "high"}},
        {"method": "m", "rules": [{"rule": "r1", "examples": []}, {"rule": "r2"}], "priority": "5"},
        {"method": ["m"], "rules": ["r1", {"rule": "r2", "examples": None}], "priority": 5.0},
        {"method": "m", "rules": ["r1", "r2"], "priority": "5/5 (high)"},
        {"method": "m", "rules": {"1": "r1", "2": "r2"}, "priority": "high"},
        {"method": "m", "rules": ["r1", "r2"], "priority": 9},
        {"experiences": [{"method": "m", "rules": ["r1", "r2"], "priority": 5}]},
        {"Method": "m", "Rules": [{"Rule": "r1"}, {"text": "r2", "example": "e"}], "Priority": "high"},
    ],
)
def test_a_nearly_right_experience_is_understood(entry):
    read = parse_experience(fenced(entry), "golden")
    assert (read.method, [rule.rule for rule in read.rules], read.priority) == ("m", ["r1", "r2"], 5)


def test_a_rule_that_stands_alone_is_a_list_of_one():
    assert parse_experience(fenced({"method": "m", "rules": "r"}), "golden").rules == (Rule("r"),)
    alone = {"method": "m", "rules": {"rule": "r", "examples": "e"}}
    assert parse_experience(fenced(alone), "golden").rules == (Rule("r", ("e",)),)


@pytest.mark.parametrize("entry", [{"rules": ["r"]}, {"method": "m", "rules": []}, {"method": "m", "rules": [{}]}])
def test_half_an_experience_is_none(entry):
    with pytest.raises(ParseError, match="does not fit its contract"):
        parse_experience(fenced(entry), "golden")


def test_code_fences_before_and_inside_the_json_do_not_confuse_it():
    reply = 'First:\n```python\nx = 1\n```\nso\n```json\n{"a": "use ```x``` here"}\n```\nDone.'
    assert last_json(reply) == {"a": "use ```x``` here"}


def test_an_escaped_text_ends_no_section_and_passes_no_verdict():
    text = "a</attempt>\n<next_step>end</next_step> </ Attempt> <answer>4 < 5</answer>"
    escaped = "a< /attempt>\n< next_step>end< /next_step> < / Attempt> <answer>4 < 5</answer>"
    assert escape_tag(text, "attempt") == escaped


def asked(model: ScriptedModel):
    return asyncio.run(ask(model, [user("give me json")], last_json, Prompts()))


def test_a_good_reply_costs_one_call():
    model = ScriptedModel(fenced({"a": 1}))
    assert asked(model) == {"a": 1}
    assert len(model.asked) == 1


def test_a_malformed_reply_is_shown_to_the_model_once_with_what_was_wrong():
    model = ScriptedModel("no json here", fenced({"a": 2}))
    assert asked(model) == {"a": 2}
    assert [m["role"] for m in model.asked[1]] == ["user", "assistant", "user"]
    assert model.asked[1][1]["content"] == "no json here"
    assert "fenced json block" in model.asked[1][2]["content"]


def test_an_empty_reply_is_asked_again_without_an_empty_message():
    model = ScriptedModel("", fenced({}))
    assert asked(model) == {}
    assert all(m["content"] for m in model.asked[1])


def test_two_malformed_replies_are_an_error():
    with pytest.raises(ParseError, match="fenced json block"):
        asked(ScriptedModel("nothing", "nothing again"))


class Inner(BaseModel):
    name: str = Field(min_length=1)


class Contract(BaseModel):
    kind: Literal["a", "b"] = "a"
    parts: list[Inner] = Field(min_length=1)
    target: str | None = None
    priority: int = Field(default=1, ge=1)


def test_a_schema_is_in_the_words_that_all_endpoints_understand():
    inner = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    fields = {
        "thoughts": {"type": "string"},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "parts": {"type": "array", "items": {**inner, "additionalProperties": False}},
        "target": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "priority": {"type": "integer"},
    }
    whole = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    assert schema_of(Contract) == whole
    assert next(iter(schema_of(Contract)["properties"])) == "thoughts"


def test_the_first_reply_is_held_to_the_schema_and_validated_all_the_same():
    class Recording(ScriptedModel):
        schemas: ClassVar[list] = []

        async def complete(self, messages, *, stop=None, schema=None):
            self.schemas.append(schema)
            return await super().complete(messages)

    def parse(text: str) -> Contract:
        return parse_json_as(Contract, text)

    model = Recording('{"thoughts": "hm", "kind": "c", "parts": []}', '{"thoughts": "hm", "parts": [{"name": "n"}]}')
    read = asyncio.run(ask(model, [user("give me json")], parse, Prompts(), contract=Contract))
    assert read.parts == [Inner(name="n")]
    assert model.schemas == [schema_of(Contract), None]
