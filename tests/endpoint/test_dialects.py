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


@pytest.mark.parametrize("before", [": OPENROUTER PROCESSING\n\n" * 3, "\n  \n", "\r\n: wait\r\n\r\n"])
def test_comments_and_blank_lines_before_the_json_are_passed_over(before):
    assert decode(f'{before}{{"a": 1}}'.encode(), f'{before}{{"a": 1}}') == {"a": 1}


def choice(ending, native=None, **message) -> dict:
    return {"choices": [{"finish_reason": ending, "native_finish_reason": native, "message": message}]}


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("stop", "stop end_turn STOP stop_sequence eos_token COMPLETE eos FINISH_REASON_STOP"),
        ("length", "length max_tokens MAX_TOKENS model_length max_output_tokens model_context_window_exceeded"),
        (
            "filtered",
            "content_filter SAFETY RECITATION PROHIBITED_CONTENT BLOCKLIST SPII refusal sensitive ERROR_TOXIC",
        ),
        ("error", "error abort insufficient_system_resource network_error MALFORMED_FUNCTION_CALL cancelled"),
        ("tool_calls", "tool_calls function_call tool_use"),
    ],
)
def test_how_a_reply_ended_is_read_in_every_dialect(ending, words):
    assert {word: parse_reply(choice(word, content="7")).finish_reason for word in words.split()} == dict.fromkeys(
        words.split(), ending
    )


CALL = {"tool_calls": [{"function": {"name": "final_answer", "arguments": '{"answer": 7}'}}]}


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        (choice(None, content="7"), "stop"),
        (choice(None, content=None), "empty"),
        (choice("stop", content=" \n"), "empty"),
        (choice("stop", content="<think>hm</think>"), "empty"),
        (choice("length", content=None), "length"),
        (choice("stop", "MAX_TOKENS", content="7"), "length"),
        (choice("error", "MALFORMED_FUNCTION_CALL", content=""), "error"),
        (choice("stop", content=None, refusal="I cannot help with that."), "filtered"),
        ({"choices": [{"finish_reason": "content_filter", "content_filter_results": {}}]}, "filtered"),
        ({"choices": [], "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "filtered"),
        (choice("stop", content=None, **CALL), "tool_calls"),
        (choice("function_call", content=None, function_call={"name": "f", "arguments": "{}"}), "tool_calls"),
        (choice("tool_calls", content=None, tool_calls=[]), "empty"),
    ],
)
def test_how_a_reply_ended_is_also_in_what_it_holds(body, ending):
    assert parse_reply(body).finish_reason == ending


def test_calls_of_tools_are_kept_also_from_a_stream():
    calls = (("final_answer", '{"answer": 7}'),)
    assert parse_reply(choice("tool_calls", content=None, **CALL)).calls == calls
    deltas = [
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "final_answer", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"answer"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 7}"}}]},
    ]
    text = stream(*({"choices": [{"delta": delta}]} for delta in deltas))
    read = parse_reply(decode(text.encode(), text))
    assert (read.calls, read.finish_reason) == (calls, "tool_calls")


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
