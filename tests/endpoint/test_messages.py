"""Conversations that a model refuses for their roles."""

import pytest

from flex.endpoint.failures import parse_failure
from flex.endpoint.messages import folded, refuses_roles

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "3 + 4?"},
    {"role": "assistant", "content": "8"},
    {"role": "user", "content": "No."},
]


def test_a_system_message_opens_the_first_question():
    assert folded(TALK) == [{"role": "user", "content": "Be brief.\n\n3 + 4?"}, *TALK[2:]]
    assert folded(TALK[:1]) == [{"role": "user", "content": "Be brief."}]
    assert folded(TALK[1:]) == TALK[1:]
    assert folded([TALK[1], TALK[3]]) == [{"role": "user", "content": "3 + 4?\n\nNo."}]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "System role not supported"),
        (400, "The system role is not supported by this model"),
        (500, "While executing CallExpression at line 1: raise_exception('System role not supported')"),
        (400, 'Error rendering prompt with jinja template: "System role not supported".'),
        (400, "Conversation roles must alternate user/assistant/user/assistant/..."),
        (500, "Only user and assistant roles are supported!"),
        (400, "Only 'user' and 'assistant' roles are supported!"),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it"),
        (400, "Unsupported value: 'messages[0].role' does not support 'system' with this model."),
        (422, "messages.0.role: Input should be 'user' or 'assistant'"),
        (400, "This model doesn't support system messages. Try again without system messages."),
        (400, 'Unexpected role "system". The Messages API accepts a top-level `system` parameter.'),
        (400, "Input tag 'system' found using 'role' does not match any of the expected tags: 'user', 'assistant'"),
        (400, "Model does not support system prompt"),
        (400, "system_instruction is not supported by this model"),
        (400, "Invalid role: system"),
    ],
)
def test_who_takes_no_system_message_says_so_in_many_ways(status, message):
    assert refuses_roles(parse_failure(status, {"error": {"message": message}}, {}))


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "maximum context length is 4096 tokens, your messages hold 5000"),
        (400, "Unsupported parameter: 'temperature' is not supported with this model."),
        (500, "Internal system error, not your fault"),
        (429, "System role not supported"),
        (400, "The prompt was filtered by the content management system"),
        (401, "Invalid role for this API key"),
    ],
)
def test_other_failures_are_not_taken_for_it(status, message):
    assert not refuses_roles(parse_failure(status, {"error": {"message": message}}, {}))
