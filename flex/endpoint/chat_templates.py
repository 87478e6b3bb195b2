"""What the templates of chat models leave in a reply: thinking, turns and end-of-text tokens, family by family.

    <think>3 + 4 ...</think>It is 7.<|im_end|>     ->  "It is 7.", thought "3 + 4 ..."
    analysisWe add 3 and 4.assistantfinalIt is 7.  ->  "It is 7.", thought "We add 3 and 4."

A text that talks about these tags and tokens, in code, quotes or the middle of a sentence, stays as it is.
"""

import re
from collections.abc import Iterable

_OPENING = (
    r"<(?:seed:)?(?:think(?:ing)?|thoughts?|reasoning)>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|begin_of_thought\|>"
    r"|<\|inner_prefix\|>|<\|channel>(?:thought)?|<unused94>(?:thought)?|\AHere(?: is|'s) my thought process:"
)
_CLOSING = (
    r"</(?:seed:)?(?:think(?:ing)?|thoughts?|reasoning)>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|end_of_thought\|>"
    r"|<\|inner_suffix\|>|<channel\|>|<unused95>|Here(?: is|'s) my response:"
)
_THINKING = re.compile(rf"(?:(?P<opening>{_OPENING})|{_CLOSING})(?!\s(?:tags?|tokens?|blocks?)\b)", re.IGNORECASE)
_HARMONY = re.compile(
    r"(?:<\|start\|>\w*)?<\|channel\|>\s*(?P<channel>analysis|commentary|final)\b[^\n]{0,200}?<\|message\|>"
)
_STRIPPED_ANALYSIS = re.compile(r"\A\s*analysis(?=[A-Z])")
_STRIPPED_FINAL = re.compile(r"(?<![`\"'])assistantfinal(?![`\"'])")
"""Harmony whose tokens the server dropped, but not the words between them."""

_BEGINNING = re.compile(
    r"\A(?:\s*(?:<s>|<bos>|\[BOS\]|<\|begin_of_text\|>|<｜begin▁of▁sentence｜>|<\|im_start\|>\w*|<\|assistant\|>"
    r"|<\|start_header_id\|>\w*<\|end_header_id\|>|<start_of_turn>\w*|<｜Assistant｜>))+\s*"
)
_BOX = re.compile(r"<\|(?:(?:begin|end)_of_(?:box|solution)|(?:START|END)_(?:RESPONSE|TEXT))\|>")
_END = (
    r"<\|(?:im_end|im_start|im_sep|eot_id|eom_id|eot|EOT|endoftext|end_of_text|end_of_turn|END_OF_TURN_TOKEN|end|return"
    r"|call|start|start_header_id|user|assistant|observation|system|role_end|end_of_role|eos|hy_eos)\|>"
    r"|<(?:end_of_turn|start_of_turn|eos|turn\|)>|<｜(?:end▁of▁sentence|User|Assistant)｜>|\[/?INST\]|\[EOS\]|</s>"
)
_AT_THE_END = re.compile(rf"(?:\s*(?:{_END}|<[|｜][\w▁]+[|｜]>))+\s*\Z|\s*<\|im_end\|?\s*\Z")
_WITHIN = re.compile(_END)
_LINE = 1_000
"""Characters of a line in which quotes are looked for, on either side."""
_SENTENCE_GOES_ON = re.compile(r"[ ,.;:)]+[a-z]")


def read(text: str) -> tuple[str, str]:
    """Part what a model wrote into (what it says, what it thought), without the marks of its chat template."""
    visible, thought = _harmony(text) or _stripped_harmony(text) or split_thinking(text)
    return _without_turns(visible).strip(), thought


def split_thinking(text: str) -> tuple[str, str]:
    """Part a text into (visible, thinking) by tags; a chat template may have swallowed the opening one."""
    visible: list[str] = []
    thoughts: list[str] = []
    thinking, start, seen, fences = False, 0, 0, 0
    for tag in _THINKING.finditer(text):
        if thinking and tag["opening"]:
            continue
        fences, seen = fences + text.count("```", seen, tag.start()), tag.start()
        if _is_wrapped(text, tag) or (not thinking and (_is_quoted(text, tag) or (tag["opening"] and fences % 2))):
            continue  # talked about; what ends the thinking is asked less
        (thoughts if thinking or not tag["opening"] else visible).append(text[start : tag.start()])
        thinking, start = bool(tag["opening"]), tag.end()
    (thoughts if thinking else visible).append(text[start:])  # cut off while still thinking
    return "".join(visible).strip(), _joined(thoughts)


def _harmony(text: str) -> tuple[str, str] | None:
    """By the channels of gpt-oss: what is not in "final" is thought, and so is what stands before it."""
    headers = list(_HARMONY.finditer(text))
    if not headers:
        return None
    ends = [*(header.start() for header in headers[1:]), len(text)]
    parts = [(header["channel"], text[header.end() : end]) for header, end in zip(headers, ends, strict=True)]
    final = [body for channel, body in parts if channel == "final"]
    before = text[: headers[0].start()]
    thoughts = [before if final else "", *(body for channel, body in parts if channel != "final")]
    return "".join(final or [before]), _joined(_AT_THE_END.sub("", thought) for thought in thoughts)


def _stripped_harmony(text: str) -> tuple[str, str] | None:
    if final := _STRIPPED_FINAL.search(text):
        return text[final.end() :], text[: final.start()].strip().removeprefix("analysis")
    if _STRIPPED_ANALYSIS.match(text):
        return "", text.strip().removeprefix("analysis")
    return None


def _without_turns(text: str) -> str:
    """What stands before the first token that ends the turn: whatever follows is a conversation made up."""
    text = _BOX.sub("", _AT_THE_END.sub("", _BEGINNING.sub("", text)))
    end = next((token.start() for token in _WITHIN.finditer(text) if not _is_mentioned(text, token)), None)
    return text if end is None else text[:end]


def _is_mentioned(text: str, token: re.Match[str]) -> bool:
    """Whether the token is talked about: in code, in quotes, or by a sentence that goes on."""
    before = text[: token.start()]
    if before.count("```") % 2 or _is_wrapped(text, token) or _is_quoted(text, token):
        return True
    if token[0] == "</s>" and "<s>" in before:  # struck through
        return True
    return before[-1:] in (" ", "(") and bool(_SENTENCE_GOES_ON.match(text, token.end()))


def _is_wrapped(text: str, mark: re.Match[str]) -> bool:
    """Whether it stands in quotes of its own."""
    before = text[max(mark.start() - 3, 0) : mark.start()]
    return before != "```" and before[-1:] in ("`", '"', "'") and text.startswith(before[-1:], mark.end())


def _is_quoted(text: str, mark: re.Match[str]) -> bool:
    """Whether quotes or backticks open before it on its line and close behind it."""
    before = text[max(mark.start() - _LINE, 0) : mark.start()].rpartition("\n")[2].replace("```", "")
    behind = text[mark.end() : mark.end() + _LINE].partition("\n")[0]
    return any(before.count(quote) % 2 and quote in behind for quote in ("`", '"'))


def _joined(thoughts: Iterable[str]) -> str:
    return "\n\n".join(thought.strip() for thought in thoughts if thought.strip())
