import asyncio

import pytest

from flex.contract import ask, user
from flex.errors import ParseError
from flex.parsing import last_json
from flex.prompt import Prompts
from flex.testing import ScriptedModel
from tests.replies import fenced


def run(model: ScriptedModel):
    return asyncio.run(ask(model, [user("give me json")], last_json, Prompts()))


def test_a_good_reply_costs_one_call():
    model = ScriptedModel(fenced({"a": 1}))
    assert run(model) == {"a": 1}
    assert len(model.asked) == 1


def test_a_malformed_reply_is_shown_to_the_model_once_with_what_was_wrong():
    model = ScriptedModel("no json here", fenced({"a": 2}))
    assert run(model) == {"a": 2}
    assert [m["role"] for m in model.asked[1]] == ["user", "assistant", "user"]
    assert model.asked[1][1]["content"] == "no json here"
    assert "fenced json block" in model.asked[1][2]["content"]


def test_an_empty_reply_is_asked_again_without_an_empty_message():
    model = ScriptedModel("", fenced({}))
    assert run(model) == {}
    assert all(m["content"] for m in model.asked[1])


def test_two_malformed_replies_are_an_error():
    with pytest.raises(ParseError, match="fenced json block"):
        run(ScriptedModel("nothing", "nothing again"))
