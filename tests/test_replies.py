"""Tags and fenced JSON, read out of replies."""

import asyncio

import pytest

from flex.errors import ParseError
from flex.prompt import Prompts
from flex.replies import ask, escape_tag, last_json, last_tag, user
from flex.testing import ScriptedModel
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
        ('```json\n{"a": 1,}\n```', "fenced json block with valid JSON"),
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
        (r"\\\\ \n", "\\\\ \n"),
    ],
)
def test_tex_with_single_backslashes_is_read_as_meant(written, meant):
    assert last_json('```json\n{"a": "' + written + '"}\n```') == {"a": meant}


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
