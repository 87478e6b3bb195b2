"""Thinking, turns and end-of-text tokens of the families of models, and texts that only talk about them."""

import pytest

from flex.endpoint.chat_templates import read
from tests.cpu_time import cpu_seconds_below


@pytest.mark.parametrize(
    ("text", "visible", "thinking"),
    [
        ("just an answer", "just an answer", ""),
        ("<think>hm</think>\n42", "42", "hm"),
        ("<thinking>hm</thinking>42", "42", "hm"),
        ("<THINK>hm</THINK>42", "42", "hm"),
        ("<think>a</think>1<think>b</think>2", "12", "a\n\nb"),
        ("hm, the template swallowed the start</think>42", "42", "hm, the template swallowed the start"),
        ("42 <think>cut off", "42", "cut off"),
        ("<think>never came to a", "", "never came to a"),
        ("<think></think>42", "42", ""),
        ("<think>\n\n</think>\n\n42\n", "42", ""),
        ("", "", ""),
        ("<thought>hm</thought>42", "42", "hm"),
        ("<reasoning>hm</reasoning>42", "42", "hm"),
        ("<seed:think>hm</seed:think>42", "42", "hm"),
        ("[THINK]hm[/THINK]42", "42", "hm"),
        ("◁think▷hm◁/think▷42", "42", "hm"),
        ("<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>42<|END_RESPONSE|>", "42", "hm"),
        ("Here is my thought process: hm Here is my response: 42", "42", "hm"),
        ("<seed:think>Try 7? No, that is wrong, because the two", "", "Try 7? No, that is wrong, because the two"),
        ("hm, no opening</thought>42", "42", "hm, no opening"),
        ('<think>It is "41"</think>42', "42", 'It is "41"'),
        ('It is "41"</think>42', "42", 'It is "41"'),
        ("<think>so ```json\n{}\n```</think>42", "42", "so ```json\n{}\n```"),
        ("<think>```json\n{}\n```</think>```json\n42\n```", "```json\n42\n```", "```json\n{}\n```"),
        ("<think>so ```\n41</think>42", "42", "so ```\n41"),
        ("<think>after `</think>` I answer</think>42", "42", "after `</think>` I answer"),
    ],
)
def test_thinking_is_parted_from_what_is_said(text, visible, thinking):
    assert read(text) == (visible, thinking)


HARMONY = "<|channel|>analysis<|message|>3 and 4<|end|><|start|>assistant<|channel|>final<|message|>42<|return|>"


@pytest.mark.parametrize(
    ("text", "visible", "thinking"),
    [
        (HARMONY, "42", "3 and 4"),
        ("<|start|>assistant" + HARMONY, "42", "3 and 4"),
        ("<|channel|>analysis<|message|>3 and", "", "3 and"),
        ("3 and 4<|end|><|start|>assistant<|channel|>final<|message|>42", "42", "3 and 4"),
        ("<|channel|>final <|constrain|>json<|message|>{}<|return|>", "{}", ""),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>commentary to=functions.f "
            "<|constrain|>json<|message|>{}<|call|>",
            "",
            "a\n\n{}",
        ),
        ("analysisWe add 3 and 4.assistantfinal42", "42", "We add 3 and 4."),
        ("analysisWe add 3 and", "", "We add 3 and"),
        ("We add 3 and 4.assistantfinal\n42", "42", "We add 3 and 4."),
        ("analysis of the case: 42", "analysis of the case: 42", ""),
        ("Without its tokens `assistantfinal` is left", "Without its tokens `assistantfinal` is left", ""),
    ],
)
def test_of_channels_only_the_final_one_is_said(text, visible, thinking):
    assert read(text) == (visible, thinking)


@pytest.mark.parametrize(
    "token",
    [
        "<|im_end|>",
        "</s>",
        "<|eot_id|>",
        "<|endoftext|>",
        "<end_of_turn>",
        "<｜end▁of▁sentence｜>",
        "<|end|>",
        "<|return|>",
        "<|eom_id|>",
        "<eos>",
        "<|END_OF_TURN_TOKEN|>",
        "<|end_of_text|>",
        "<|user|>",
        "<|some_other|>",
    ],
)
@pytest.mark.parametrize("text", ["It is 42.", "```json\n{}\n```", "```json\n{}\n", "<next_step>end</next_step>"])
def test_a_token_at_the_end_is_taken_off(token, text):
    assert read(f"{text}{token}") == (text.strip(), "")
    assert read(f"{text}\n{token}\n{token} ") == (text.strip(), "")


def test_half_a_token_at_the_end_is_taken_off():
    assert read("42<|im_end") == read("42<|im_end|") == ("42", "")


@pytest.mark.parametrize(
    "text",
    [
        "42<|im_end|>\n<|im_start|>user\nNext question: 5 + 6?<|im_end|>\n<|im_start|>assistant\n11",
        "42<|endoftext|>Human: And 5 + 6?",
        "42</s><s>[INST] more [/INST] 43",
        "<|im_start|>assistant\n42<|im_end|>",
        "<s> 42</s>",
        "<|start_header_id|>assistant<|end_header_id|>\n\n42<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n7",
        "<think>hm</think>42<|im_end|>\n<|im_start|>assistant\n<think>again</think>43",
        "<|begin_of_box|>42<|end_of_box|>",
    ],
)
def test_what_follows_the_end_of_the_turn_is_cut(text):
    assert read(text)[0] == "42"


@pytest.mark.parametrize(
    "text",
    [
        "In ChatML `<|im_end|>` ends a turn.\n42",
        'Split at "<|im_end|>" and count: 42',
        "A turn ends with <|im_end|> and begins with <|im_start|> there, so 42",
        "```\n<|im_start|>user\nhi<|im_end|>\n```\nThat is ChatML: 42",
        "<code>\nprint('<|im_end|>')\nfinal_answer(42)",
        "It was <s>41</s> and is 42",
        "The tag `<think>` opens it, `</think>` ends it: 42",
        'x = text.split("</think>")[-1]  # 42',
        "Put it between <thought> tags: 42",
    ],
)
def test_a_text_about_tokens_stays_whole(text):
    assert read(text) == (text, "")


def test_many_unclosed_thoughts_and_tokens_are_parted_in_time():
    with cpu_seconds_below(2):
        assert read("<think>" * 50_000)[0] == ""
        assert read("</think>" * 50_000)[0] == ""
        assert read("<think>a</think>b" * 10_000)[0]
        assert read("<|channel|>" * 5_000)[1] == ""
        assert read("a <|im_end|> b " * 2_000)[0]
