"""What endpoints send in place of the one JSON object they were asked for."""

import json

import pytest

from flex.endpoint.dialects import decode, is_page, parse_reply
from flex.types import Reply, Usage

CHUNKS = (
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"index": 0, "delta": {"reasoning_content": "I "}}]},
    {"choices": [{"index": 0, "delta": {"reasoning_content": "see"}}]},
    {"choices": [{"index": 0, "delta": {"content": "hel"}}, {"index": 1, "delta": {"content": "other"}}]},
    {"choices": [{"index": 0, "delta": {"content": "lo\u2028."}, "finish_reason": "stop"}], "usage": None},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
)


def stream(*chunks: dict, newline: str = "\n") -> str:
    events = [f"data: {json.dumps(chunk, ensure_ascii=False)}{newline * 2}" for chunk in chunks]
    return "".join([f": a comment{newline * 2}", *events, f"data: [DONE]{newline * 2}"])


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_stream_that_nobody_asked_for_is_put_together(newline):
    text = stream(*CHUNKS, newline=newline)
    assert parse_reply(decode(text.encode(), text)) == Reply("hello\u2028.", "I see", Usage(1, 0, 3, 0, 2), "stop")


def test_a_stream_may_hold_the_whole_message():
    text = stream({"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]})
    assert parse_reply(decode(text.encode(), text)).text == "hello"


def test_a_stream_without_chunks_is_a_reply_without_choices():
    assert "without choices" in parse_reply(decode(stream().encode(), stream())).message


def test_who_writes_no_utf8_is_read_as_the_header_says():
    content = '{"a": "é"}'.encode("latin-1")
    assert decode(content, content.decode("latin-1")) == {"a": "é"}
    assert decode(content, content.decode(errors="replace")) == {"a": "\ufffd"}


@pytest.mark.parametrize("content", [b"{", b"", b"data: {", b'data: {"choices": []}\n\n', b"[" * 100_000])
def test_what_cannot_be_read_is_a_value_error(content):
    with pytest.raises(ValueError, match=r"."):
        decode(content, content.decode())


@pytest.mark.parametrize(
    ("content", "page"),
    [
        (b"<html>", True),
        (b" Welcome", True),
        (b'{"choices"', False),
        (b" data: {", False),
        (b": wait", False),
        (b"", False),
    ],
)
def test_a_page_is_told_from_a_reply_that_was_cut_off(content, page):
    assert is_page(content) == page
